"""Registrations: a user's contacts as reginfo (RFC 3680)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from switchroom.protocols import sip
from switchroom.protocols.sip.packages import reginfo
from switchroom.switch.calls.registration.bindings import Binding


class Registrations:
    """Asks the registrar."""

    event = reginfo.EVENT
    content_type = reginfo.CONTENT_TYPE
    is_private = True

    def __init__(self, lookup: Callable[[str, float], Iterable[Binding]], mint: sip.Mint) -> None:
        self._lookup, self._mint = lookup, mint

    def document(self, topic: str, entity: str, version: int, now: float) -> bytes:
        """The user's contacts; one that is not named is not there any more."""
        contacts = tuple(
            reginfo.Contact(
                self._mint.tag_for(f"contact {topic} {binding.contact}"),
                binding.contact,
                expires=max(0, round(binding.expires_at - now)),
                q="" if binding.q == 1.0 else f"{binding.q:g}",
            )
            for binding in self._lookup(topic, now)
        )
        state = "active" if contacts else "terminated"
        id = self._mint.tag_for(f"registration {topic}")
        return bytes(reginfo.RegInfo(version, (reginfo.Registration(entity, id, state, contacts),)))
