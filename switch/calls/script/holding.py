"""Whose music it is that those hear who are on hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.switch.calls.call import Call as SipCall
from switchroom.switch.media.clips import Sound, parse_sound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.media import MediaSession
    from switchroom.switch.media.leg import MediaLeg

    from .party import Party


class HoldMusic:
    """Tells the media plane, by the configuration, and plays to those who talk with somebody in a program."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        exchange.media.music.choose = self._choose
        exchange.media.music.on_fault = lambda error: exchange.log.warning("hold_music.failed", error=error)

    def reconfigure(self, names: Iterable[str]) -> None:
        """What is heard where a user has no music of his own."""
        self._exchange.media.music.default = tuple([parse_sound(name) for name in names])

    def keep_waiting(self, party: Party, holder: str, *, is_hold: bool) -> None:
        """An account in a program's call holds, or listens again."""
        music, station = self._exchange.media.music, party.station
        sounds = self.of(holder) or music.default
        if not sounds:
            return
        station.deafen(is_hold)
        station.clear()
        if is_hold:
            music.play(station, party.rate, sounds)

    def play(self, party: Party) -> None:
        """Let somebody hear it, beside all else."""
        music = self._exchange.media.music
        if music.default:
            music.play(party.station, party.rate, music.default)

    def of(self, account: str) -> tuple[Sound, ...]:
        """A user's own music."""
        user = self._exchange.config.users.get(account)
        return () if user is None else tuple([parse_sound(name) for name in user.hold_music])

    def _choose(self, session: MediaSession, holder: MediaLeg) -> tuple[Sound, ...]:
        call = session.context
        if not isinstance(call, SipCall):
            return ()
        leg = next((leg for leg in (call.a, call.b) if leg is not None and leg.media is holder), None)
        return () if leg is None else self.of(leg.account)
