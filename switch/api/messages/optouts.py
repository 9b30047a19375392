"""Who does not want messages from whom: keywords of texts that come in, and what is answered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from switchroom.switch.store.documents import Document

from ..office import Shelf

if TYPE_CHECKING:
    from ..office import Office

OPT_OUT = "optout"
_STOP = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
_START = {"START", "YES", "UNSTOP"}
_HELP = {"HELP", "INFO"}
_BY_KEYWORD = {
    "STOP": "You will get no more messages from this number. Answer START to get them again.",
    "START": "You will get messages from this number again. Answer STOP to end them, HELP for help.",
    "HELP": "Answer STOP to get no more messages from this number.",
}
ANSWERS = frozenset(_BY_KEYWORD.values())


def keyword_of(body: str) -> str:
    """STOP, START, HELP or nothing: the whole text must be the word."""
    word = body.strip().strip(".!\"'").upper()
    if word in _STOP:
        return "STOP"
    if word in _START:
        return "START"
    return "HELP" if word in _HELP else ""


def answer_to(keyword: str) -> str:
    """What is answered by itself."""
    return _BY_KEYWORD[keyword]


class OptOuts:
    """Remembers by sender (a number, or a service for all of its numbers) and receiver."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._shelf = Shelf(office, OPT_OUT, "OO")

    def has(self, sender: str, receiver: str) -> bool:
        """Whether a receiver said STOP to a sender."""
        return self._office.library.named(OPT_OUT, f"{sender}|{receiver}") is not None

    def change(
        self, account: str, sender: str, receiver: str, keyword: str
    ) -> tuple[list[Document], list[Document]]:
        """What is to be written and what is to be dropped after a keyword."""
        name = f"{sender}|{receiver}"
        known = self._office.library.named(OPT_OUT, name)
        if keyword == "STOP" and known is None:
            return [self._shelf.new(account, {}, name=name, at=time.time())], []
        if keyword == "START" and known is not None:
            return [], [known]
        return [], []
