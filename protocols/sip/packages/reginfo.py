"""application/reginfo+xml: the contacts that somebody is registered with (RFC 3680)."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import RemoteProtocolError
from . import markup

CONTENT_TYPE = "application/reginfo+xml"
EVENT = "reg"
EVENTS = (  # §5.3
    *("registered", "created", "refreshed", "shortened", "expired"),
    *("deactivated", "probation", "unregistered", "rejected"),
)

_NAMESPACE = "urn:ietf:params:xml:ns:reginfo"


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact, and what happened to it last."""

    id: str
    uri: str
    event: str = "registered"
    is_active: bool = True
    expires: int | None = None  # seconds that are left
    q: str = ""
    unknown: tuple[tuple[str, str], ...] = ()  # Contact parameters: +sip.instance and its like


@dataclass(frozen=True, slots=True)
class Registration:
    """An address of record and its contacts; state is init, active or terminated."""

    aor: str
    id: str
    state: str
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class RegInfo:
    """All registrations of the subscription, or those that changed."""

    version: int
    registrations: tuple[Registration, ...] = ()
    is_full: bool = True

    @classmethod
    def parse(cls, body: bytes) -> RegInfo:
        """Read a document; RemoteProtocolError when it is none of this kind."""
        root = markup.parse(body)
        version = root.attributes.get("version", "")
        if root.name != f"{_NAMESPACE} reginfo":
            raise RemoteProtocolError("not a reginfo document")
        if not (version.isascii() and version.isdigit() and len(version) < 11):
            raise RemoteProtocolError("reginfo: version is not a number")
        registrations = tuple(_read(element) for element in root.all(f"{_NAMESPACE} registration"))
        return cls(int(version), registrations, root.attributes.get("state") == "full")

    def __bytes__(self) -> bytes:
        state = "full" if self.is_full else "partial"
        attributes = {"xmlns": _NAMESPACE, "version": str(self.version), "state": state}
        return markup.document(markup.write("reginfo", attributes, *map(_write, self.registrations)))


def _read(element: markup.Element) -> Registration:
    given = element.attributes
    state = given.get("state", "")
    if "aor" not in given or "id" not in given or state not in ("init", "active", "terminated"):
        raise RemoteProtocolError("reginfo: a registration without aor, id or state")
    contacts = tuple(_read_contact(child) for child in element.all(f"{_NAMESPACE} contact"))
    return Registration(given["aor"], given["id"], state, contacts)


def _read_contact(element: markup.Element) -> Contact:
    given = element.attributes
    state, event = given.get("state", ""), given.get("event", "")
    if "id" not in given or state not in ("active", "terminated") or event not in EVENTS:
        raise RemoteProtocolError("reginfo: a contact without id, state or event")
    expires = given.get("expires", "")
    return Contact(
        given["id"],
        element.text_of(f"{_NAMESPACE} uri"),
        event,
        state == "active",
        int(expires) if expires.isascii() and expires.isdigit() and len(expires) < 11 else None,
        given.get("q", ""),
        tuple(
            (child.attributes.get("name", ""), child.text)
            for child in element.all(f"{_NAMESPACE} unknown-param")
        ),
    )


def _write(registration: Registration) -> str:
    attributes = {"aor": registration.aor, "id": registration.id, "state": registration.state}
    return markup.write("registration", attributes, *map(_write_contact, registration.contacts))


def _write_contact(contact: Contact) -> str:
    attributes = {
        "id": contact.id,
        "state": "active" if contact.is_active else "terminated",
        "event": contact.event,
        "expires": None if contact.expires is None else str(contact.expires),
        "q": contact.q or None,
    }
    parts = [markup.write("uri", {}, markup.escape(contact.uri))]
    parts += [
        markup.write("unknown-param", {"name": name}, markup.escape(value)) for name, value in contact.unknown
    ]
    return markup.write("contact", attributes, *parts)
