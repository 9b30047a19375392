"""From whom a message goes: a number of the account, a name, or one of the numbers of a service."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document, Query

from ..office import Shelf
from ..resources.inventory import facts_of
from ..resources.numbers import NUMBER, POOLED
from ..wire.errors import ApiError
from ..wire.params import is_e164
from .render import MESSAGE

if TYPE_CHECKING:
    from ..office import Office
    from .optouts import OptOuts

SERVICE, ALPHA = "service", "alpha_sender"
_NO_NAMES = ("+1",)  # countries in which networks take numbers only
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &_+-]{1,11}")
_SHORT = re.compile(r"[0-9]{3,8}")
_NOISE = re.compile(r"[\s().\-]")


def clean_number(text: str) -> str:
    """A number without the signs that people write between its digits."""
    return _NOISE.sub("", text)


class Senders:
    """Chooses and checks."""

    def __init__(self, office: Office, opt_outs: OptOuts) -> None:
        self._office, self._opt_outs = office, opt_outs
        self.services = Shelf(office, SERVICE, "MG")
        self.pooled = Shelf(office, POOLED, "PN")
        self.alphas = Shelf(office, ALPHA, "AI")

    def check_target(self, account: str, text: str) -> str:
        """The number that a message goes to; ApiError: it is none, or one that is not allowed."""
        number = clean_number(text)
        if not is_e164(number) and not _SHORT.fullmatch(number):
            raise ApiError(21211, "To: is not a number: it begins with + and the code of a country")
        config = self._office.config
        is_premium = any(number.startswith(prefix) for prefix in config.premium)
        is_elsewhere = bool(config.countries) and not any(number.startswith(p) for p in config.countries)
        if number.startswith("+") and (is_premium or is_elsewhere):
            self._office.audit.alert(account, "region refused", to=number)
            raise ApiError(21408, f"To: messages to {number[:5]}… are not allowed by the configuration")
        return number

    def check_sender(self, account: str, text: str, to: str) -> str:
        """The sender that was asked for; ApiError: it is not one of the account."""
        sender = clean_number(text) if not _NAME.fullmatch(text) else text
        if _NAME.fullmatch(sender):
            return sender
        if not is_e164(sender) and not _SHORT.fullmatch(sender):
            raise ApiError(21212, "From: is neither a number nor a name of at most 11 letters")
        owner = self._office.library.named(NUMBER, sender)
        if owner is None and self._office.config.foreign_senders:
            return sender
        if owner is None or owner.account != account:
            raise ApiError(21606, f"From: {sender} is not a number of the account")
        return sender

    def check_opt_out(self, sender: str, service: str, to: str) -> None:
        """ApiError when the receiver said STOP."""
        if self._opt_outs.has(service or sender, to):
            raise ApiError(21610, f"To: {to} does not want messages from this sender")

    def service(self, account: str, sid: str) -> Document:
        """A service of the account."""
        found = self.services.find(account, sid)
        if found is None:
            raise ApiError(21701, "MessagingServiceSid: there is no such service", status=404)
        return found

    def choose(self, service: Document, to: str) -> str:
        """A number of a service: the one that this receiver knows, else one near it, spread evenly.

        A service with a name sends from that, but not to where networks take numbers only.
        """
        pool = [doc.data["phone_number"] for doc in self._pool(service)]
        if (name := self._name(service)) and (not pool or not to.startswith(_NO_NAMES)):
            return name
        if not pool:
            raise ApiError(21704, "MessagingServiceSid: the service has no numbers")
        if service.data["sticky_sender"] and (known := self._last(service, to)) in pool:
            return known
        country = facts_of(to).country
        near = [number for number in pool if facts_of(number).country == country]
        best = sorted(near or pool)
        if service.data["area_code_geomatch"]:
            best = [number for number in best if number[:5] == to[:5]] or best
        return str(best[zlib.crc32(to.encode()) % len(best)])

    def service_of(self, number: Document) -> Document | None:
        """The service of the same account that has a number in its pool."""
        pooled = self._office.library.named(POOLED, str(number.name))
        if pooled is None or pooled.account != number.account:
            return None
        return self.services.find(pooled.account, pooled.parent)

    def check_name(self, text: str) -> str:
        """A name that messages may come from; ApiError."""
        if not _NAME.fullmatch(text):
            raise ApiError(21657, "AlphaSender: must be at most 11 letters, digits, spaces or & _ + -")
        return text

    def _name(self, service: Document) -> str:
        """The first name of a service, or none."""
        query = Query(ALPHA, service.account, parent=service.sid, is_ascending=True, limit=1)
        found = self._office.library.select(query)
        return str(found[0].data["alpha_sender"]) if found else ""

    def _pool(self, service: Document) -> list[Document]:
        query = Query(POOLED, service.account, parent=service.sid, limit=1000)
        return self._office.library.select(query)

    def _last(self, service: Document, to: str) -> str:
        """The sender of the last message of this service to a receiver."""
        query = Query(MESSAGE, service.account, equal={"target": to}, limit=20)
        for doc in self._office.library.select(query):
            if doc.data.get("service") == service.sid:
                return doc.source
        return ""


def letters_url(service: Document | None, given: dict[str, Any]) -> str:
    """Where status callbacks go: what the message says, else its service."""
    return str(given.get("StatusCallback") or (service.data["status_callback"] if service else "") or "")
