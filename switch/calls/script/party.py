"""Somebody who talks with a program: what he hears, what he says, and what his phone asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.switch.calls import bridge
from switchroom.switch.calls.leg import RETRY_AFTER, sdp_headers, sdp_of
from switchroom.switch.media import NoPortsLeft, sounding
from switchroom.switch.media.clips import BEEP, Sound
from switchroom.switch.media.recorder import Recorded, Recording, Sides

from .gathering import Gathering, Keypad, key_of_info
from .recording import log_recorded
from .stream import Stream

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.calls.leg import Leg as SipLeg
    from switchroom.switch.media._sound import Station

    from .conference import Member
    from .house import House

    OnJoin = Callable[[Member], object]

_RATE = 8000  # of what is played before the codec is known


class CallEnded(Exception):  # noqa: N818 - an end is no error
    """The call, or the leg that something was asked of, is over: the program need not go on."""


class Party:
    """One leg whose other side is the program."""

    def __init__(self, house: House, call: SipCall, leg: SipLeg) -> None:
        self._house = house
        self._call = call
        self._leg = leg
        self._keypad = Keypad()
        self._waiting: dict[int, asyncio.Future[bool]] = {}  # what is played; True: to its end
        self._pending: set[asyncio.Future[Any]] = set()  # that the end breaks off
        self._on_key: Callable[[str], object] | None = None  # who listens now
        self._streams: list[Stream] = []
        self._recordings: list[Recording] = []
        self._partner: Party | None = None
        self.finished_by = ""  # the key that ended what was gathered or recorded last
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._station = sounding.station_of(call.media, leg.media, self._on_sound)
        leg.server = self

    # -- what it is

    @property
    def account(self) -> str:
        """The user's name or trunk:NAME; empty: a URI."""
        return self._leg.account

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be asked of it."""
        return self.ended.done()

    @property
    def codec(self) -> str:
        """What is spoken; empty: nothing is agreed on yet."""
        served = self._leg.media.served
        return "" if served is None else served.codec

    @property
    def station(self) -> Station:
        """Our side of its sound, for those who want more than the verbs."""
        self._check()
        return self._station

    @property
    def rate(self) -> int:
        """Samples a second of what is spoken."""
        served = self._leg.media.served
        return _RATE if served is None else served.terms.rate

    def _check(self) -> None:
        if self.is_over:
            raise CallEnded(self.ended.result())

    def _listen(self) -> None:
        """Keys in the sound count where the phone has no other way to send them."""
        served = self._leg.media.served
        self.station.listen(keys=served is not None and served.terms.event is None)

    # -- what is played

    async def play(self, *sounds: Sound, loops: int = 1, stop_on: str = "") -> str:
        """Play files, tones and silence one after the other; returns the key of ``stop_on`` that ended it."""
        self._check()
        last = await self._start(sounds, loops)
        if last is None:
            return ""
        pressed = ""

        def on_key(key: str) -> None:
            nonlocal pressed
            if key in stop_on and not pressed:
                pressed = key
                self.stop()

        before, self._on_key = self._on_key, on_key if stop_on else self._on_key
        try:
            await self._wait(last)
        finally:
            self._on_key = before
            if not last.done():
                last.cancel()
                self.stop()
        if pressed and pressed in self._keypad.waiting:
            self._keypad.waiting.remove(pressed)
        return pressed

    async def _start(self, sounds: tuple[Sound, ...], loops: int = 1) -> asyncio.Future[bool] | None:
        """Begin to play; what is to come in the end."""
        clips = [await self._house.clips.load(sound, rate=self.rate) for sound in sounds]
        last = None
        for clip in clips:
            last = self._future()
            self._waiting[self.station.play(clip, loops)] = last
        return last

    def stop(self) -> None:
        """Play nothing any more."""
        if not self.is_over:
            self.station.clear()

    async def send_keys(self, keys: str, *, length: float = 0.12, gap: float = 0.08) -> None:
        """Press keys: telephone-event where the other end takes it, else as sound; w waits half a second."""
        self.station.send_keys(keys, round(length * 1000), round(gap * 1000))
        waits = sum(0.5 if key == "w" else 1.0 if key == "W" else length + gap for key in keys)
        await self._wait(asyncio.ensure_future(asyncio.sleep(waits)))

    # -- what is heard

    async def gather(
        self,
        count: int | None = None,
        *,
        timeout: float = 5.0,  # noqa: ASYNC109 - of the caller's patience, not of ours
        between: float | None = None,
        finish_on: str = "#",
        prompt: tuple[Sound, ...] | Sound = (),
    ) -> str:
        """Return the keys that are pressed; a ``prompt`` is played meanwhile, until the first of them.

        It ends with ``count`` keys, with one of ``finish_on``, ``timeout`` seconds after the prompt when none
        comes, or ``between`` (the same, if not given) after the last one.
        """
        self._check()
        self._listen()
        between = timeout if between is None else between
        gathering = Gathering(count, timeout=timeout, between=between, finish_on=finish_on, now=self._time())
        news = asyncio.Event()

        def on_key(key: str) -> None:
            if self._keypad.waiting:
                self._keypad.waiting.pop()
            gathering.press(key, self._time())
            self.stop()
            news.set()

        while self._keypad.waiting and not gathering.is_over:
            gathering.press(self._keypad.waiting.popleft(), self._time())
        before, self._on_key = self._on_key, on_key
        try:
            prompts = prompt if isinstance(prompt, tuple) else (prompt,)
            if prompts and not gathering.keys and not gathering.is_over:
                await self._prompt(gathering, prompts, news)
            while not gathering.is_over:
                news.clear()
                assert gathering.until is not None
                await self._wait_for(news, gathering.until - self._time())
                gathering.check(self._time())
        finally:
            self._on_key = before
        self.finished_by = gathering.finished_by
        return gathering.keys

    async def _prompt(self, gathering: Gathering, sounds: tuple[Sound, ...], news: asyncio.Event) -> None:
        gathering.hold()
        last = await self._start(sounds)
        if last is not None:
            await self._wait(last)
        gathering.resume(self._time())

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()

    async def _wait_for(self, news: asyncio.Event, seconds: float) -> None:
        waiting = asyncio.ensure_future(news.wait())
        try:
            both: set[asyncio.Future[Any]] = {waiting, self.ended}
            await asyncio.wait(both, timeout=max(seconds, 0), return_when="FIRST_COMPLETED")
        finally:
            waiting.cancel()
        self._check()

    async def record(
        self,
        path: Path | str | None = None,
        *,
        max_length: float | None = None,
        silence: float = 5.0,
        finish_on: str = "#",
        beep: bool = True,
    ) -> Recorded:
        """Record what it says, until it is silent, presses a key of ``finish_on``, or hangs up.

        The end of the call does not break it off: what was said until then is there (reason: hangup).
        """
        self._check()
        self.finished_by = ""
        if beep:
            await self.play(BEEP)
        recording = self.start_recording(path, sides="heard", max_length=max_length, silence=silence)

        def on_key(key: str) -> None:
            if self._keypad.waiting:
                self._keypad.waiting.pop()
            if key in finish_on:
                self.finished_by = key
                recording.stop("key")

        before, self._on_key = self._on_key, on_key
        both: set[asyncio.Future[Any]] = {recording.ended, self.ended}
        try:
            await asyncio.wait(both, return_when="FIRST_COMPLETED")
        finally:
            recording.stop("hangup" if self.is_over else "stopped")
            if not self.is_over:
                self._on_key = before
        return await asyncio.shield(recording.ended)

    def start_recording(
        self,
        path: Path | str | None = None,
        *,
        sides: Sides = "stereo",
        max_length: float | None = None,
        silence: float = 0.0,
    ) -> Recording:
        """Record from now on what it says and what is said to it; the call goes on meanwhile.

        OSError: too many recordings go on.
        """
        house, station = self._house, self.station
        recording = house.recorder.begin(
            Path(path) if path is not None else house.recording_path(self._call.id),
            min(self.rate, 16000),
            sides,
            max_seconds=house.config.max_recording if max_length is None else max_length,
            silence=silence,
            attach=lambda recording: station.tap(recording.heard, recording.said),
        )
        self._recordings.append(recording)
        recording.ended.add_done_callback(lambda done: self._recorded(recording))
        return recording

    def _recorded(self, recording: Recording) -> None:
        if recording in self._recordings:
            self._recordings.remove(recording)
        if not self._station.is_closed:
            self._station.untap(recording.heard)
            if recording.said is not None:
                self._station.untap(recording.said)
        done = recording.ended.result()
        log_recorded(self._call.exchange.log, self._call.id, done)

    async def conference(
        self, name: str, *, is_muted: bool = False, is_quiet: bool = False, on_join: OnJoin | None = None
    ) -> str:
        """Take part in a conference until somebody ends that: "kicked"; ``on_join`` gets the Member."""
        member, _ = await self._house.conferences.join(self, name, is_muted=is_muted, is_quiet=is_quiet)
        if on_join is not None:
            on_join(member)
        both: set[asyncio.Future[Any]] = {member.left, self.ended}
        try:
            await asyncio.wait(both, return_when="FIRST_COMPLETED")
        finally:
            await self._house.conferences.leave(member, is_quiet=is_quiet)
        self._check()
        return member.left.result()

    def hear_keys(self, told: Callable[[str], object] | None) -> None:
        """Have each key told that is pressed from now on; None: no more."""
        self._check()
        self._listen()

        def on_key(key: str) -> None:
            if self._keypad.waiting:
                self._keypad.waiting.pop()
            if told is not None:
                told(key)

        self._on_key = None if told is None else on_key

    def stream(self, rate: int | None = None) -> Stream:
        """Its sound as frames of 20 ms, and a way to speak to it, at ``rate`` or as the codec has it."""
        stream = Stream(self.station, rate or self.rate)
        self._streams.append(stream)
        return stream

    # -- waiting

    def _future(self) -> asyncio.Future[Any]:
        self._check()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    async def _wait(self, future: asyncio.Future[Any]) -> Any:
        """Wait for something, but not beyond the end."""
        await asyncio.wait({future, self.ended}, return_when="FIRST_COMPLETED")
        if not future.done():
            future.cancel()
            self._check()
        if future.cancelled():
            self._check()
        return future.result()

    # -- from the engine

    def _on_sound(self, kind: str, value: int) -> None:
        if kind in ("played", "cut"):
            future = self._waiting.pop(value, None)
            if future is not None and not future.done():
                future.set_result(kind == "played")
        elif kind == "key-down":
            self._press(chr(value & 0xFF), "media")
        for stream in self._streams:
            stream.hear(kind, value)

    def _press(self, key: str, way: str) -> None:
        if self._keypad.press(key, way, self._house.now) and self._on_key is not None:
            self._on_key(key)

    # -- from its phone: the Server of its leg

    def hear(self, leg: SipLeg, event: Any, now: float) -> bool:
        """What its session tells."""
        handler = _HANDLERS.get(type(event))
        if leg.mover is not None or handler is None:
            return False
        return handler(self, event, now)

    def _on_acknowledged(self, event: sip.SessionAcknowledged, now: float) -> bool:
        if self._leg.media.proposed is not None and (answer := sdp_of(event.request)):
            self._settle(answer, now)
        return True

    def _settle(self, answer: bytes, now: float) -> None:
        try:
            sounding.settle(self._call.media, self._leg.media, answer)
        except (RemoteProtocolError, LocalProtocolError) as error:
            self._call.exchange.log.info("call.bad_answer", call=self._call.id, error=str(error))
            self._call.hang_up("No usable SDP", now, cause=488)

    def _on_reinvite(self, event: sip.ReinviteReceived, now: float) -> bool:
        """It wants other media, or is on hold, or not any more."""
        leg, transaction = self._leg, event.transaction
        status, body = self._agree(sdp_of(event.request))
        headers = RETRY_AFTER if status == 503 else sdp_headers(body)
        leg.session.answer_reinvite(transaction, status, now, body=body, headers=headers)
        if status == 200:
            self._told_hold(sdp_of(event.request))
        return True

    def _on_update(self, event: sip.UpdateReceived, now: float) -> bool:
        offer = sdp_of(event.request)
        status, body = self._agree(offer) if offer else (200, b"")
        event.transaction.respond(status, now, headers=sdp_headers(body), body=body)
        if offer and status == 200:
            self._told_hold(offer)
        return True

    def _agree(self, offer: bytes) -> tuple[int, bytes]:
        """Our answer, or an offer where none came; the status to answer with."""
        media, leg = self._call.media, self._leg
        try:
            if offer:
                return 200, sounding.serve(media, leg.media, offer, leg.codecs)
            return 200, sounding.propose(media, leg.media, leg.codecs, self.codec)
        except RemoteProtocolError as error:
            return error.status, b""
        except NoPortsLeft:
            return 503, b""

    def _told_hold(self, offer: bytes) -> None:
        partner = self._partner
        if partner is not None and offer and not partner.is_over:
            self._house.music.keep_waiting(partner, self, is_hold=bridge.is_hold(offer))

    def _on_request(self, event: sip.SessionRequestReceived, now: float) -> bool:
        request = event.request
        if request.method == "INFO":
            key = key_of_info(request.content_type or "", request.body)
            event.transaction.respond(200 if key is not None or not request.body else 415, now)
            if key is not None:
                self._press(key[0], "info")
                if self._partner is not None and not self._partner.is_over:
                    self._partner.station.send_keys(key[0], key[1])
            return True
        if request.method == "REFER":
            event.transaction.respond(603, now)
            return True
        return False

    def _on_reinvite_answered(self, event: sip.ReinviteAnswered, now: float) -> bool:
        self._leg.session.acknowledge(now)
        if self._leg.media.proposed is not None and (answer := sdp_of(event.response)):
            self._settle(answer, now)
        return True

    def _on_reinvite_rejected(self, event: sip.ReinviteRejected, now: float) -> bool:
        self._leg.media.proposed = None
        if event.status in (408, 481):
            self._leave("it is gone", now)
        return True

    def _on_session_ended(self, event: sip.SessionEnded, now: float) -> bool:
        return False

    def _leave(self, reason: str, now: float) -> None:
        self._call.hang_up(reason, now)

    # -- the end

    def _end(self, reason: str) -> None:
        """Nothing more is heard of it: whatever waits ends."""
        if self.is_over:
            return
        self.ended.set_result(reason)
        self._house.media.sounds.listen(self._station, None)
        for future in list(self._pending):
            future.cancel()
        for stream in self._streams:
            stream.close()
        for recording in self._recordings:
            recording.stop("hangup")
        self._waiting.clear()
        self._partner = self._on_key = None


class Leg(Party):
    """Somebody whom a program has called in a call."""

    target = ""  # as the program named it

    async def hang_up(self) -> None:
        """End it; the call goes on."""
        if not self.is_over:
            self._leave("hung up", self._house.now)
            self._house.flush()

    def _on_session_ended(self, event: sip.SessionEnded, now: float) -> bool:
        self._forget(event.cause)
        return True

    def _leave(self, reason: str, now: float) -> None:
        self._leg.session.hang_up(now)
        self._forget(reason)

    def _forget(self, reason: str) -> None:
        call, leg = self._call, self._leg
        if not call.is_over:
            if call.b is leg:
                call.b = None
            call.media.drop(leg.media)
            call.exchange.tell(call, self._house.now)
        leg.forget()
        self._end(reason)


_HANDLERS: dict[type, Callable[[Any, Any, float], bool]] = {
    sip.SessionAcknowledged: Party._on_acknowledged,
    sip.SessionEnded: lambda party, event, now: party._on_session_ended(event, now),
    sip.ReinviteReceived: Party._on_reinvite,
    sip.ReinviteAnswered: Party._on_reinvite_answered,
    sip.ReinviteRejected: Party._on_reinvite_rejected,
    sip.UpdateReceived: Party._on_update,
    sip.SessionRequestReceived: Party._on_request,
}
