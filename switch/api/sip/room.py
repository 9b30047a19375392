"""The room of SIP: its resources, and the calls that are answered for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from switchroom.switch.config import Config, Hosted

from .domains import DomainResources
from .filed import Filed
from .lines import Lines
from .lists import AccessLists, CredentialLists
from .roster import Roster
from .trunk_parts import TrunkParts
from .trunks import OriginationResources, TrunkResources

if TYPE_CHECKING:
    from ..office import Office
    from ..resources.numbers import NumberResources
    from ..voice.room import VoiceRoom


class Hosting(Protocol):
    """The switch, as far as it lets in whom REST names."""

    @property
    def hosted(self) -> Hosted: ...
    async def refresh(self) -> None: ...


class Nobody:
    """A switch that lets nobody in."""

    hosted = Hosted()

    async def refresh(self) -> None:
        """There is nothing to do."""


class SipRoom:
    """What the house has of SIP."""

    def __init__(
        self, config: Config, office: Office, numbers: NumberResources, voice: VoiceRoom, hosting: Hosting
    ) -> None:
        self._roster = roster = Roster(office, config)
        self.lines = Lines(office, voice, lambda: hosting.hosted)
        trunks = TrunkResources(roster)
        self.resources = (
            DomainResources(roster),
            CredentialLists(roster, config.realm),
            AccessLists(roster),
            trunks,
            OriginationResources(roster, trunks),
            TrunkParts(roster, trunks, numbers),
        )

    def reconfigure(self, config: Config) -> None:
        """Another file is there."""
        self._roster.filed = Filed(config)
