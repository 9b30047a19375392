"""One conference of the API: its row, its room, its participants, and who is told of it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from switchroom.switch.calls.script.conference import ENTRY, EXIT
from switchroom.switch.media.clips import Sound

from ...webhooks.courier import Letter
from ...wire.dates import rfc2822
from ..recordings.tapes import tell_of

if TYPE_CHECKING:
    from switchroom.switch.calls.script.conference import Conference as Room
    from switchroom.switch.calls.script.conference import ConferenceEvent, Member
    from switchroom.switch.media.recorder import Recording
    from switchroom.switch.store.documents import Document

    from ..live import Live
    from ..means import Means
    from .participant import Participant

_RATE = 16000  # of recordings
_LAST = "last-participant-left"
_WORDS = {  # of statusCallbackEvent, for each event
    "conference-start": "start",
    "conference-end": "end",
    "participant-join": "join",
    "participant-leave": "leave",
    "participant-mute": "mute",
    "participant-unmute": "mute",
    "participant-hold": "hold",
    "participant-unhold": "hold",
    "participant-modify": "modify",
    "participant-speech-start": "speaker",
    "participant-speech-stop": "speaker",
    "announcement-end": "announcement",
    "announcement-fail": "announcement",
}


class Conference:
    """As long as somebody is in it, or on his way there."""

    def __init__(self, means: Means, doc: Document) -> None:
        self._means, self.doc = means, doc
        self.participants: dict[str, Participant] = {}  # by the SIDs of their calls
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_over = False
        self.expected: set[str] = set()  # calls that are to come into it
        self.speaker: Participant | None = None
        self._room: Room | None = None
        self._callback = tell_of(doc)
        self._recording: Recording | None = None
        self._farewell: list[tuple[str, str]] = []  # what is told at the end

    @property
    def sid(self) -> str:
        """As clients know it."""
        return self.doc.sid

    @property
    def name(self) -> str:
        """As documents know it."""
        return str(self.doc.data["friendly_name"])

    # -- who comes and goes

    def add(self, one: Participant) -> None:
        """Somebody has come; with the second one, if one of them may start it, it begins."""
        callback = one.wish.callback
        if not self._callback.url and callback.url:
            self._callback = callback
            told = [callback.url, callback.method, list(callback.events)]
            self.doc = self.doc.change(time.time(), data={"tell": told})
        self.participants[one.sid] = one
        self.expected.discard(one.sid)
        self.tell("participant-join", one)
        everybody = self.participants.values()
        if not self.started.done() and len(everybody) > 1 and any(each.wish.can_start for each in everybody):
            self._start()

    def expect(self, call: str) -> None:
        """Somebody is called who is to come."""
        self.expected.add(call)

    def give_up(self, call: str) -> None:
        """He does not."""
        self.expected.discard(call)
        if not self.expected and not self.participants:
            self.end("last-participant-left")

    def _start(self) -> None:
        self.started.set_result(None)
        self.doc = self.doc.change(time.time(), state="in-progress")
        self.tell("conference-start")

    async def join(self, one: Participant) -> Member:
        """Into the room; OSError: it is full."""
        rooms = self._means.apps.house.conferences
        member, room = await rooms.join(one.party, f"api:{self.sid}", is_muted=one.is_muted, is_quiet=True)
        self._room = room
        self._record(one.live, room)
        if "enter" in one.beeps:
            await room.play(ENTRY)
        return member

    async def part(self, member: Member) -> None:
        """Out of it."""
        await self._means.apps.house.conferences.leave(member, is_quiet=True)

    async def remove(self, one: Participant) -> None:
        """Somebody has gone, and perhaps that was the end of it."""
        await one.go()
        self.participants.pop(one.sid, None)
        reason = one.left.result()
        self.tell("participant-leave", one, ("ReasonParticipantLeft", reason))
        if self.speaker is one:
            self.speaker = None
        if self.is_over:
            self._tell_end()
            return
        how = "kicked" if reason == "participant_updated_via_api" else "left"
        if one.ends_on_exit:
            self.end(f"participant-with-end-conference-on-exit-{how}", one)
        elif not self.participants and not self.expected:
            self.end(f"last-participant-{how}", one)
        elif "exit" in one.beeps:
            await self.play(EXIT)

    def end(self, reason: str, last: Participant | None = None) -> None:
        """It is over: everybody goes."""
        if self.is_over:
            return
        self.is_over = True
        self._means.conferences.forget(self)
        if self._recording is not None:
            self._recording.stop()
        data = {"reason": reason, "ended_by": None if last is None else last.sid}
        self.doc = self.doc.change(time.time(), state="completed", data=data)
        self._means.office.begin([self.doc])
        self._farewell = [("ReasonConferenceEnded", reason), ("Reason", reason)]
        if last is not None:
            self._farewell += [
                ("CallSidEndingConference", last.sid),
                ("ParticipantLabelEndingConference", last.label),
            ]
        for one in list(self.participants.values()):
            one.kick("conference_ended_via_api" if last is None else "moderator_ended_conference")
        self._tell_end()

    def _tell_end(self) -> None:
        """When the last one has gone."""
        if not self.participants:
            self.tell("conference-end", None, *self._farewell)

    def give_out(self) -> None:
        """It was another process's, and is over with that: those who were in it have left."""
        self.doc = self.doc.change(time.time(), state="completed", data={"reason": _LAST})
        for params in self.doc.data.get("members", {}).values():
            reason = ("ReasonParticipantLeft", "participant_hung_up")
            self.tell("participant-leave", None, *map(tuple, params), reason)
        self.tell("conference-end", None, ("ReasonConferenceEnded", _LAST), ("Reason", _LAST))

    # -- its sound

    async def play(self, *sounds: Sound) -> None:
        """To all who are in the room."""
        if self._room is not None:
            await self._room.play(*sounds)

    def _record(self, live: Live, room: Room) -> None:
        """From the start on, if somebody wants that; the first who does is told."""
        wishes = [one.wish for one in self.participants.values() if one.wish.is_recorded]
        if self._recording is not None or not wishes:
            return
        house, wish = self._means.apps.house, wishes[0]
        tapes = self._means.tapes
        try:
            doc = tapes.start_room(
                live,
                self.sid,
                lambda path: house.recorder.begin(
                    path,
                    _RATE,
                    "heard",
                    max_seconds=house.config.max_recording,
                    attach=lambda recording: room.room.tap(recording.heard),
                ),
                wish.tell,
                is_trimmed=wish.is_trimmed,
            )
        except OSError as error:
            live.complain(13217, f"Conference: record: {error}")
            return
        self._recording = tapes.running[doc.sid]

    def hear(self, event: ConferenceEvent) -> None:
        """Who speaks now."""
        found = [one for one in self.participants.values() if one.member is event.member]
        if event.kind != "speaker" or not found or found[0] is self.speaker:
            return
        if self.speaker is not None:
            self.tell("participant-speech-stop", self.speaker)
        self.speaker = found[0]
        self.tell("participant-speech-start", self.speaker)

    # -- who is told

    def tell(self, event: str, one: Participant | None = None, *more: tuple[str, str]) -> None:
        """Write down what has happened, for callbacks and for the stream of events."""
        sequence = self.doc.data.get("sequence", 0) + 1
        params = [
            ("ConferenceSid", self.sid),
            ("FriendlyName", self.name),
            ("AccountSid", self.doc.account),
            ("Timestamp", rfc2822(time.time()) or ""),
            ("StatusCallbackEvent", event),
            ("SequenceNumber", str(sequence)),
            *([] if one is None else one.params()),
            *more,
        ]
        letters = []
        callback = self._callback
        if callback.url and _WORDS[event] in callback.events:
            self.doc = self.doc.change(self.doc.updated_at, data={"sequence": sequence})
            letters = [
                Letter(self.doc.account, self.sid, "conference", callback.url, params, callback.method)
            ]
        members = {each.sid: each.params() for each in self.participants.values()}
        self.doc = self.doc.change(self.doc.updated_at, data={"members": members})
        said = {name: value for name, value in params if name not in ("AccountSid", "SequenceNumber")}
        events = [(self.doc.account, f"conference.{event}", self.sid, said)]
        self._means.office.note([self.doc], letters, events)
