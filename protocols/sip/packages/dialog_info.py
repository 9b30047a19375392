"""application/dialog-info+xml: which calls somebody has (RFC 4235)."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import RemoteProtocolError
from . import markup

CONTENT_TYPE = "application/dialog-info+xml"
EVENT = "dialog"
STATES = ("trying", "proceeding", "early", "confirmed", "terminated")  # §3.7.1

_NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"
_DIRECTIONS = ("initiator", "recipient")


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a dialog: who it is."""

    uri: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Dialog:
    """One dialog of the entity; tags are as the entity sees them (§4.1)."""

    id: str
    state: str
    direction: str = ""
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    local: Party | None = None
    remote: Party | None = None


@dataclass(frozen=True, slots=True)
class DialogInfo:
    """All dialogs of an entity, or those that changed."""

    entity: str
    version: int
    dialogs: tuple[Dialog, ...] = ()
    is_full: bool = True

    @classmethod
    def parse(cls, body: bytes) -> DialogInfo:
        """Read a document; RemoteProtocolError when it is none of this kind."""
        root = markup.parse(body)
        if root.name != f"{_NAMESPACE} dialog-info":
            raise RemoteProtocolError("not a dialog-info document")
        version = root.attributes.get("version", "")
        if not (version.isascii() and version.isdigit() and len(version) < 11):
            raise RemoteProtocolError("dialog-info: version is not a number")
        return cls(
            root.attributes.get("entity", ""),
            int(version),
            tuple(_read_dialog(element) for element in root.all(f"{_NAMESPACE} dialog")),
            root.attributes.get("state") == "full",
        )

    def __bytes__(self) -> bytes:
        attributes = {
            "xmlns": _NAMESPACE,
            "version": str(self.version),
            "state": "full" if self.is_full else "partial",
            "entity": self.entity,
        }
        return markup.document(markup.write("dialog-info", attributes, *map(_write_dialog, self.dialogs)))


def _read_dialog(element: markup.Element) -> Dialog:
    given = element.attributes
    state = element.text_of(f"{_NAMESPACE} state").lower()
    direction = given.get("direction", "")
    if "id" not in given or state not in STATES or direction not in (*_DIRECTIONS, ""):
        raise RemoteProtocolError("dialog-info: a dialog without an id or a known state")
    return Dialog(
        given["id"],
        state,
        direction,
        given.get("call-id", ""),
        given.get("local-tag", ""),
        given.get("remote-tag", ""),
        _read_party(element.first(f"{_NAMESPACE} local")),
        _read_party(element.first(f"{_NAMESPACE} remote")),
    )


def _read_party(element: markup.Element | None) -> Party | None:
    identity = None if element is None else element.first(f"{_NAMESPACE} identity")
    if identity is None:
        return None
    return Party(identity.text.strip(), identity.attributes.get("display", ""))


def _write_dialog(dialog: Dialog) -> str:
    attributes = {
        "id": dialog.id,
        "call-id": dialog.call_id or None,
        "local-tag": dialog.local_tag or None,
        "remote-tag": dialog.remote_tag or None,
        "direction": dialog.direction or None,
    }
    parts = [markup.write("state", {}, dialog.state)]
    for name, party in (("local", dialog.local), ("remote", dialog.remote)):
        if party is not None:
            parts.append(markup.write(name, {}, _write_party(party)))
    return markup.write("dialog", attributes, *parts)


def _write_party(party: Party) -> str:
    identity = markup.write("identity", {"display": party.name or None}, markup.escape(party.uri))
    return identity + markup.write("target", {"uri": party.uri})
