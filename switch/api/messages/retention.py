"""How long texts are kept: until somebody takes them away, and never longer than the policy says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document, Query

from ..webhooks.courier import DELIVERY
from .render import MESSAGE
from .statuses import FINAL

if TYPE_CHECKING:
    from ..office import Office

MEDIA = "media"
_DAY = 86400.0
_MAX_LETTERS = 1000
_TOLD = "message"  # the purpose of letters that have a text in them


class Retention:
    """Takes texts out of rows: of messages, and of what webhooks were told and answered."""

    def __init__(self, office: Office) -> None:
        self._office = office
        office.courier.on_keep[_TOLD] = self._kept

    def forget(self, doc: Document, now: float) -> list[Document]:
        """The rows of a message without its text; letters that are under way lose it at their end."""
        rows = [doc.change(now, data={"body": "", "text": ""})]
        if doc.data["direction"] == "inbound":
            rows += [_without_text(letter) for letter in self._letters(doc) if letter.state != "pending"]
        return rows

    def letters(self, doc: Document, now: float) -> list[Document]:
        """Those of a message that is deleted, without its text."""
        return self.forget(doc, now)[1:]

    def sweep(self, now: float) -> None:
        """Forget what is older than the policy keeps."""
        config, library = self._office.config, self._office.library
        library.purge(MESSAGE, now - config.keep_messages * _DAY)
        library.purge(MEDIA, now - config.keep_messages * _DAY)
        until = now - config.keep_texts * _DAY
        library.blank(MESSAGE, ("body", "text"), FINAL, until)

    def _letters(self, doc: Document) -> list[Document]:
        talk = f"{doc.target}|{doc.source}"
        found = self._office.library.select(
            Query(
                DELIVERY, doc.account, parent=talk, since={"created_at": doc.created_at}, limit=_MAX_LETTERS
            )
        )
        return [letter for letter in found if dict(letter.data["params"]).get("MessageSid") == doc.sid]

    def _kept(self, letter: Document) -> Document:
        """A letter as it is kept: without the text, where the policy or somebody has taken that away."""
        if letter.state != "done":
            return letter  # it may be sent again
        doc = self._office.library.get(MESSAGE, dict(letter.data["params"])["MessageSid"], letter.account)
        is_kept = self._office.config.keep_texts > 0 and doc is not None and doc.data["body"]
        return letter if is_kept else _without_text(letter)


def _without_text(letter: Document) -> Document:
    """What a webhook was told, but for the text; its answers may have texts too."""
    params: list[Any] = [[name, "" if name == "Body" else value] for name, value in letter.data["params"]]
    attempts = [{**made, "body": ""} if "body" in made else made for made in letter.data["attempts"]]
    return letter.change(time.time(), data={"params": params, "attempts": attempts})
