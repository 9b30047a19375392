"""Conferences: rooms by name, who is in them, and what may be done with each member."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from switchroom.switch.media.clips import Sound, Tone

from .recording import log_recorded

if TYPE_CHECKING:
    from switchroom.switch.media._sound import Room
    from switchroom.switch.media.recorder import Recording

    from .house import House
    from .party import Party

ENTRY = Tone((440.0, 660.0), 0.15)
EXIT = Tone((660.0, 440.0), 0.15, -16.0)
_RATE = 16000  # of what is played to all


class ConferenceEvent(NamedTuple):
    """Something that has happened in a room."""

    conference: str
    kind: str  # joined, left, speaker, muted, unmuted, held, unheld, coaching, uncoaching, ended
    member: Member | None = None


class Member:
    """Somebody in a room."""

    def __init__(self, conference: Conference, party: Party) -> None:
        self.conference = conference
        self.party = party
        self.is_muted = self.is_held = False
        self.coached: Member | None = None  # the only one who hears it
        self.left: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def mute(self, is_muted: bool = True) -> None:
        """Whether nobody hears it."""
        self.is_muted = is_muted
        self.party.station.mute(is_muted)
        self.conference.tell("muted" if is_muted else "unmuted", self)

    def hold(self, is_held: bool = True) -> None:
        """Whether it neither hears nor is heard; it hears music meanwhile, where there is some."""
        if is_held == self.is_held:
            return
        self.is_held = is_held
        self.conference.keep_waiting(self.party, is_hold=is_held)
        self.party.station.deafen(is_held)
        self.party.station.mute(is_held or self.is_muted)
        self.conference.tell("held" if is_held else "unheld", self)

    def gain(self, decibels: float) -> None:
        """How much louder it hears the others."""
        self.party.station.gain(decibels)

    def boost(self, decibels: float) -> None:
        """How much louder the others hear it."""
        self.party.station.boost(decibels)

    def coach(self, member: Member | None) -> None:
        """Be heard by that member alone; None: by all. When that member leaves, it is muted."""
        if member is self or (member is not None and member.conference is not self.conference):
            raise ValueError("only another member of the same conference can be coached")
        self.coached = member
        self.party.station.coach(None if member is None else member.party.station)
        self.conference.tell("uncoaching" if member is None else "coaching", self)

    def kick(self) -> None:
        """Put it out of the room; its program goes on."""
        if not self.left.done():
            self.left.set_result("kicked")


class Conference:
    """One room."""

    def __init__(self, rooms: Conferences, name: str) -> None:
        self.name = name
        self.members: list[Member] = []
        self.speaker: Member | None = None
        self.alone: Member | None = None  # who hears music until somebody comes
        self._recording: Recording | None = None
        self._rooms = rooms
        self.room: Room = rooms.house.media.sounds.room(self._on_room)

    def tell(self, kind: str, member: Member | None = None) -> None:
        """Let those know who asked for events."""
        event = ConferenceEvent(self.name, kind, member)
        for told in self._rooms.on_event:
            told(event)

    async def play(self, *sounds: Sound) -> None:
        """Play something to all, after what plays."""
        for sound in sounds:
            self.room.play(await self._rooms.house.clips.load(sound, rate=_RATE))

    def start_recording(
        self, path: Path | str | None = None, *, max_length: float | None = None
    ) -> Recording:
        """Record what all say and what is played to all. OSError: too many recordings go on."""
        house = self._rooms.house
        return house.recorder.begin(
            Path(path) if path is not None else house.recording_path(f"conference-{self.name}"),
            _RATE,
            "heard",
            max_seconds=house.config.max_recording if max_length is None else max_length,
            owner=self.name,
            attach=lambda recording: self._attach(recording),
        )

    def _attach(self, recording: Recording) -> None:
        if self._recording is not None:
            raise OSError(f"conference {self.name} is recorded already")
        self._recording = recording
        self.room.tap(recording.heard)
        recording.ended.add_done_callback(lambda done: self._recorded(recording))

    def _recorded(self, recording: Recording) -> None:
        self._recording = None
        self.room.tap(None)
        log_recorded(self._rooms.house.exchange.log, self.name, recording.ended.result())

    def keep_waiting(self, party: Party, *, is_hold: bool) -> None:
        """Let a member hear music instead of the others."""
        self._rooms.house.music.keep_waiting(party, "", is_hold=is_hold)

    def end(self) -> None:
        """Put everybody out."""
        for member in list(self.members):
            member.kick()

    def _on_room(self, kind: str, value: int) -> None:
        if kind != "speaker":
            return
        found = [one for one in self.members if not one.party.is_over and one.party.station.id == value]
        if found:
            self.speaker = found[0]
            self.tell("speaker", found[0])


class Conferences:
    """All rooms of a switch; a room is there as long as somebody is in it."""

    def __init__(self, house: House, *, max_members: int = 500) -> None:
        self.house = house
        self.max_members = max_members
        self.has_tones, self.has_music = True, False
        self.rooms: dict[str, Conference] = {}
        self.on_event: list[Callable[[ConferenceEvent], object]] = []
        # The other worker, if any, in which a room is
        self.place_of: Callable[[str], int | None] = lambda name: None

    def get(self, name: str) -> Conference | None:
        """A room that is there."""
        return self.rooms.get(name)

    async def join(
        self, party: Party, name: str, *, is_muted: bool = False, is_quiet: bool = False
    ) -> tuple[Member, Conference]:
        """Put somebody into a room, which is made when there is none; ``is_quiet``: without a tone.

        OSError: it is full, or in another worker.
        """
        conference = self.rooms.get(name)
        if conference is None and (slot := self.place_of(name)) is not None:
            raise OSError(f"conference {name} is in worker {slot}, this call in another one")
        if conference is None:
            conference = self.rooms[name] = Conference(self, name)
        if len(conference.members) >= self.max_members:
            raise OSError(f"conference {name} has {len(conference.members)} members already")
        member = Member(conference, party)
        conference.members.append(member)
        if is_muted:
            member.is_muted = True
            party.station.mute()
        if not is_quiet and self.has_tones:
            await conference.play(ENTRY)
        if not party.is_over:
            party.station.join(conference.room)
        self._entertain(conference)
        conference.tell("joined", member)
        return member, conference

    async def leave(self, member: Member, *, is_quiet: bool = False) -> None:
        """Take somebody out again."""
        conference = member.conference
        if member not in conference.members:
            return
        conference.members.remove(member)
        if not member.left.done():
            member.left.set_result("left")
        if not member.party.is_over:
            station = member.party.station
            station.join(None)
            station.mute(False)
            station.deafen(False)
            if member.is_held:
                conference.keep_waiting(member.party, is_hold=False)
        for other in conference.members:
            if other.coached is member:
                other.coached = None
                other.mute()
        if conference.speaker is member:
            conference.speaker = None
        conference.tell("left", member)
        if not conference.members:
            if conference._recording is not None:
                conference._recording.stop("ended")
            self.rooms.pop(conference.name, None)
            self.house.media.sounds.listen(conference.room, None)
            conference.tell("ended")
        else:
            self._entertain(conference)
            if not is_quiet and self.has_tones:
                await conference.play(EXIT)

    def _entertain(self, conference: Conference) -> None:
        """Whoever is alone hears music, where that is wanted, until somebody comes."""
        before = conference.alone
        conference.alone = conference.members[0] if len(conference.members) == 1 and self.has_music else None
        if before is not None and before is not conference.alone and not before.party.is_over:
            before.party.station.clear()
        if conference.alone is not None and conference.alone is not before:
            party = conference.alone.party
            if not party.is_over:
                self.house.music.play(party)
