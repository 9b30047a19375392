"""Who calls, as one leg says it and as the other is told (RFC 3323, 3325, 4458, 5806, 7044, 7544).

What somebody untrusted writes into P-Asserted-Identity, Remote-Party-ID, Diversion or History-Info is not
even read here (THREATS C8); the wish to stay hidden is, whoever has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import quote, unquote

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.uri import escape_user

Header = tuple[str, str]

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'  # RFC 3323 §4.1.1.3
ASSERTING = frozenset(
    (
        "p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion", "history-info",
        "privacy", "p-charging-vector", "p-charge-info", "p-called-party-id", "cc-diversion",
    )
)  # fmt: skip
"""Headers about who is who: they are made anew for each leg, never passed on."""

_NOBODY, _NOWHERE = "anonymous", "anonymous.invalid"
_HIDING = frozenset(("header", "user", "id"))
_PRIVACIES = frozenset(("header", "session", "user", "none", "critical", "id", "history"))
_NO_WISHES: frozenset[str] = frozenset()
_MAX_NAME = 80
_MAX_DIVERSIONS = 10
_CAUSES = {  # RFC 7544 §4: reason of a Diversion -> cause of RFC 4458
    "unknown": 404,
    "unconditional": 302,
    "no-answer": 408,
    "user-busy": 486,
    "deflection": 480,
    "unavailable": 503,
    "time-of-day": 404,
    "do-not-disturb": 404,
    "follow-me": 404,
    "out-of-service": 404,
    "away": 404,
}
_REASONS = {
    "404": "unknown",
    "302": "unconditional",
    "408": "no-answer",
    "486": "user-busy",
    "480": "deflection",
    "487": "deflection",
    "503": "unavailable",
}


class Diversion(NamedTuple):
    """One forwarding that a call went through: by whom and why (RFC 5806 §3)."""

    number: str
    reason: str = "unknown"
    counter: int = 1
    is_private: bool = False


class Identity:
    """A caller: what is known of it, and what it wants others to know."""

    __slots__ = ("diversions", "is_asserted", "is_private", "name", "number", "verstat")

    def __init__(
        self,
        number: str,
        name: str = "",
        is_private: bool = False,
        diversions: tuple[Diversion, ...] = (),
        is_asserted: bool = False,
        verstat: str = "",
    ) -> None:
        self.number = number
        self.name = name
        self.is_private = is_private
        self.diversions = diversions  # the last one first
        self.is_asserted = is_asserted  # somebody trusted says so, not the caller
        self.verstat = verstat  # what a signature about the number is worth (STIR), passed on to phones

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self._parts() == other._parts()

    __hash__ = None  # type: ignore[assignment]  # nobody looks a caller up

    def _parts(self) -> tuple[object, ...]:
        return self.number, self.name, self.is_private, self.diversions, self.is_asserted, self.verstat

    def changed(
        self,
        number: str | None = None,
        name: str | None = None,
        diversions: tuple[Diversion, ...] | None = None,
        verstat: str | None = None,
    ) -> Identity:
        """The same caller with something else in place of what is given."""
        return Identity(
            self.number if number is None else number,
            self.name if name is None else name,
            self.is_private,
            self.diversions if diversions is None else diversions,
            self.is_asserted,
            self.verstat if verstat is None else verstat,
        )

    def is_plain(self) -> bool:
        """Whether there is nothing to hide and nothing vouched for: a number and a name."""
        return not (self.is_private or self.diversions or self.verstat)


# -- reading


def read(request: sip.Request, is_trusted: bool) -> Identity:
    """Who calls; from somebody untrusted this is a claim, and its number may be anything."""
    shown = request.from_
    uri = shown.uri
    wishes = privacy_of(request)
    is_anonymous = _is_anonymous(uri)
    is_private = is_anonymous or (bool(wishes) and not wishes.isdisjoint(_HIDING))
    found = _asserted(request) if is_trusted else None
    diversions = diversions_of(request) if is_trusted else ()
    if found is None:
        number = "" if is_anonymous else number_in(uri)
        return Identity(number, plain(shown.display_name), is_private, diversions)
    address, is_hidden = found
    return Identity(
        number_in(address.uri),
        plain(address.display_name or ("" if is_anonymous else shown.display_name)),
        "none" not in wishes and (is_private or is_hidden),
        diversions,
        True,
    )


def privacy_of(message: sip.Message) -> frozenset[str]:
    """The kinds of privacy that are asked for (RFC 3323 §4.2)."""
    if "privacy" not in message:
        return _NO_WISHES
    text = ";".join(message.get_all("Privacy")[:4]).lower().replace(",", ";")
    return frozenset([word.strip() for word in text.split(";")]) & _PRIVACIES


def diversions_of(message: sip.Message) -> tuple[Diversion, ...]:
    """Who forwarded the call, the last one first; from Diversion, else from History-Info."""
    if "Diversion" not in message and "History-Info" not in message:
        return ()
    found = [_diversion(address) for address in _addresses(message, "Diversion")]
    return tuple(found or _from_history(_addresses(message, "History-Info")))[:_MAX_DIVERSIONS]


def number_in(uri: sip.Uri) -> str:
    """The user or the telephone number of a URI, without what only makes it readable."""
    user = uri.user or ""
    if user.isalnum() or (user[:1] == "+" and user.lstrip("+").isalnum()):
        return user  # as nearly always
    user = (uri.user_unescaped or "").partition(";")[0]  # RFC 3966 parameters inside a user part
    digits = user.translate(_SEPARATORS)
    return digits if digits.lstrip("+").isdigit() else user


def plain(text: str) -> str:
    """A display name that can be written anywhere."""
    if text.isprintable() and len(text) <= _MAX_NAME:
        return text
    return "".join([c for c in text if c.isprintable()])[:_MAX_NAME].strip()


def called_party(request: sip.Request) -> sip.Uri | None:
    """Whom a carrier says that the call is for (RFC 7315 §4.2)."""
    return next((one.uri for one in _addresses(request, "P-Called-Party-ID")), None)


_SEPARATORS = str.maketrans("", "", "-.() ")


def _is_anonymous(uri: sip.Uri) -> bool:
    host, user = uri.host, uri.user
    return (len(host) == len(_NOWHERE) and host.lower() == _NOWHERE) or (
        user is not None and len(user) == len(_NOBODY) and user.lower() == _NOBODY
    )


def _asserted(request: sip.Request) -> tuple[sip.NameAddr, bool] | None:
    """The first identity with a number that the sender vouches for, and whether it is to be hidden."""
    for address in _addresses(request, "P-Asserted-Identity"):
        if address.uri.user:
            return address, False
    for address in _addresses(request, "Remote-Party-ID"):
        if address.uri.user and (address.param("party") or "calling").lower() == "calling":
            return address, (address.param("privacy") or "off").lower() not in ("off", "none", "name")
    return None


def _addresses(message: sip.Message, name: str) -> list[sip.NameAddr]:
    """The addresses in a header; what cannot be read is left out."""
    if name not in message:
        return []
    found = []
    try:
        texts = message.get_list(name)
    except RemoteProtocolError:
        return []
    for text in texts[: 2 * _MAX_DIVERSIONS]:
        try:
            found.append(sip.NameAddr.parse(text))
        except RemoteProtocolError:
            continue
    return found


def _diversion(address: sip.NameAddr) -> Diversion:
    reason = plain((address.param("reason") or "unknown").lower())
    return Diversion(
        number_in(address.uri),
        reason if reason in _CAUSES else "unknown",
        _count(address.param("counter")),
        (address.param("privacy") or "off").lower() not in ("off", "none"),
    )


def _count(text: str | None) -> int:
    return min(int(text), 99) if text and text.isascii() and text.isdigit() and len(text) < 4 else 1


def _from_history(entries: Sequence[sip.NameAddr]) -> list[Diversion]:
    """Whoever stands before an entry with a cause has forwarded the call there (RFC 7544 §3)."""
    found = []
    for before, after in pairwise(entries):
        cause = after.uri.param("cause") or _cause_in(before.uri.headers)
        if cause in _REASONS and before.uri.user:
            is_private = "privacy=history" in unquote(before.uri.headers).lower()
            found.append(Diversion(number_in(before.uri), _REASONS[cause], 1, is_private))
    return found[::-1]


def _cause_in(headers: str) -> str:
    """The cause of a Reason header inside a URI (RFC 7044 §10.2)."""
    text = unquote(headers).lower()
    _, found, rest = text.partition("cause=")
    return rest[:3] if found and "reason=sip" in text else ""


# -- writing


def address(number: str, domain: str, name: str = "") -> str:
    """A name and an address: From and To without their tags, and the like."""
    user = escape_user(number)
    if not name:
        return f"<sip:{user}@{domain}>" if user else f"<sip:{domain}>"
    return _named(user, domain, name)


@lru_cache(maxsize=4096)  # who has called lately does so again
def _named(user: str, domain: str, name: str) -> str:
    return str(sip.NameAddr(plain(name), sip.Uri("sip", user or None, None, domain)))


def from_header(identity: Identity, domain: str) -> str:
    """From as the other leg may see it."""
    if identity.is_private or not identity.number:
        return ANONYMOUS
    number = f"{identity.number};verstat={identity.verstat}" if identity.verstat else identity.number
    return address(number, domain, identity.name)


def identity_headers(identity: Identity, form: str, domain: str) -> list[Header]:
    """What tells a peer the caller's number whatever From shows, in the form that the peer wants."""
    if form == "from" or not identity.number:
        return [("Privacy", "id")] if identity.is_private and form != "from" else []
    if form == "remote-party-id":
        privacy = "full" if identity.is_private else "off"
        text = address(identity.number, domain, identity.name)
        return [("Remote-Party-ID", f"{text};party=calling;screen=yes;privacy={privacy}")]
    header = "P-Preferred-Identity" if form == "p-preferred-identity" else "P-Asserted-Identity"
    found = [(header, address(identity.number, domain, identity.name))]
    if identity.is_private:
        found.append(("Privacy", "id"))  # RFC 3325 §9.3
    return found


def diversion_headers(diversions: Iterable[Diversion], domain: str) -> list[Header]:
    """The forwardings as RFC 5806 writes them, the last one on top."""
    return [
        (
            "Diversion",
            f"{address(one.number, domain)};reason={one.reason};counter={one.counter}"
            f";privacy={'full' if one.is_private else 'off'}",
        )
        for one in diversions
    ]


def history_headers(diversions: Sequence[Diversion], target: str, domain: str) -> list[Header]:
    """The forwardings as RFC 7044 writes them, with the causes of RFC 4458, down to who is called now."""
    if not diversions:
        return []
    found, index, cause = [], "1", ""
    for one in reversed(diversions):
        hidden = f"?Privacy={quote('history')}" if one.is_private else ""
        found.append(f"<sip:{escape_user(one.number)}@{domain}{cause}{hidden}>;index={index}")
        index += ".1"
        cause = f";cause={_CAUSES[one.reason]}"
    found.append(f"<sip:{escape_user(target)}@{domain}{cause}>;index={index}")
    return [("History-Info", ", ".join(found))]
