"""application/pidf+xml: whether somebody can be reached, and what they do (RFC 3863, RFC 3856, RFC 4480)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import RemoteProtocolError
from . import markup

CONTENT_TYPE = "application/pidf+xml"
EVENT = "presence"
MAX_TUPLES = 32
MAX_TEXT = 256  # characters of a note

_NAMESPACE = "urn:ietf:params:xml:ns:pidf"
_PERSON = "urn:ietf:params:xml:ns:pidf:data-model"
_RPID = "urn:ietf:params:xml:ns:pidf:rpid"
_PRIORITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_ACTIVITY = re.compile(r"[a-z][a-z-]{0,31}")
_ID = re.compile(r"[A-Za-z_][\w.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tuple:
    """One way to reach the entity: open, closed, or "" when that is not said (RFC 3863 §4.1.2)."""

    id: str
    basic: str = ""
    contact: str = ""
    priority: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """A presence document."""

    entity: str
    tuples: tuple[Tuple, ...] = ()
    note: str = ""
    activities: tuple[str, ...] = ()  # of the person: "on-the-phone", "away"... (RFC 4480 §3.2)

    @property
    def is_open(self) -> bool:
        """Whether any way to reach the entity is open."""
        return any(one.basic == "open" for one in self.tuples)

    @classmethod
    def parse(cls, body: bytes) -> Presence:
        """Read a document, leaving out what we do not know; RemoteProtocolError when it is none."""
        root = markup.parse(body)
        if root.name != f"{_NAMESPACE} presence":
            raise RemoteProtocolError("not a PIDF document")
        tuples = tuple(_read_tuple(element) for element in root.all(f"{_NAMESPACE} tuple"))
        if len(tuples) > MAX_TUPLES:
            raise RemoteProtocolError("PIDF with too many tuples", status=413)
        person = root.first(f"{_PERSON} person")
        note = root.text_of(f"{_NAMESPACE} note")
        if not note and person is not None:
            note = person.text_of(f"{_PERSON} note")
        return cls(root.attributes.get("entity", ""), tuples, note[:MAX_TEXT], _read_activities(person))

    def __bytes__(self) -> bytes:
        attributes = {"xmlns": _NAMESPACE, "xmlns:dm": _PERSON, "xmlns:rpid": _RPID, "entity": self.entity}
        parts = [_write_tuple(one) for one in self.tuples]
        if self.note:
            parts.append(_write_note(self.note))
        if self.activities:
            named = [markup.write(f"rpid:{name}") for name in self.activities]
            parts.append(markup.write("dm:person", {"id": "p1"}, markup.write("rpid:activities", {}, *named)))
        return markup.document(markup.write("presence", attributes, *parts))


def _read_tuple(element: markup.Element) -> Tuple:
    status = element.first(f"{_NAMESPACE} status")
    contact = element.first(f"{_NAMESPACE} contact")
    basic = "" if status is None else status.text_of(f"{_NAMESPACE} basic").lower()
    id = element.attributes.get("id", "")
    if _ID.fullmatch(id) is None or basic not in ("open", "closed", ""):
        raise RemoteProtocolError("PIDF: a tuple without an id, or neither open nor closed")
    priority = "" if contact is None else contact.attributes.get("priority", "")
    return Tuple(
        id,
        basic,
        "" if contact is None else contact.text.strip()[:MAX_TEXT],
        priority if _PRIORITY.fullmatch(priority) else "",
        element.text_of(f"{_NAMESPACE} note")[:MAX_TEXT],
    )


def _read_activities(person: markup.Element | None) -> tuple[str, ...]:
    activities = None if person is None else person.first(f"{_RPID} activities")
    if activities is None:
        return ()
    names = (child.local_name for child in activities.children if child.name.startswith(f"{_RPID} "))
    return tuple([name for name in names if name != "note" and _ACTIVITY.fullmatch(name)][:8])


def _write_tuple(one: Tuple) -> str:
    parts = [markup.write("status", {}, markup.write("basic", {}, one.basic) if one.basic else "")]
    if one.contact:
        parts.append(markup.write("contact", {"priority": one.priority or None}, markup.escape(one.contact)))
    if one.note:
        parts.append(_write_note(one.note))
    return markup.write("tuple", {"id": one.id}, *parts)


def _write_note(note: str) -> str:
    return markup.write("note", {}, markup.escape(note))
