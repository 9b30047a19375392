"""Somebody who talks with a program: what he hears, and what is heard of him."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from switchroom.codecs import AnswerDetector, Answered, AnswerRules
from switchroom.switch.media.clips import BEEP, Say, Sound
from switchroom.switch.media.recorder import Recorded, Recording, Sides

from .detecting import detect, wait_for_silence
from .gathering import Gathering
from .recording import log_recorded
from .seat import Seat
from .stream import Side, Stream

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.calls.leg import Leg as SipLeg

    from .conference import Member
    from .house import House

    OnJoin = Callable[[Member], object]


class Party(Seat):
    """One leg whose other side is the program."""

    def __init__(self, house: House, call: SipCall, leg: SipLeg) -> None:
        super().__init__(house, call, leg)
        self._waiting: dict[int, asyncio.Future[bool]] = {}  # what is played; True: to its end
        self._on_talk: Callable[[bool], object] | None = None
        self._streams: list[Stream] = []
        self._recordings: list[Recording] = []
        self.finished_by = ""  # the key that ended what was gathered or recorded last

    def _listen(self) -> None:
        """Keys in the sound count where the phone has no other way to send them."""
        served = self._leg.media.served
        has_events = served is None or served.terms.event is not None
        self.station.listen(keys=not has_events, talk=self._on_talk is not None)

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

    async def say(self, text: str, *, language: str = "en", voice: str = "", stop_on: str = "") -> str:
        """Speak a text; as ``play(Say(text))``, which goes with prompts too."""
        return await self.play(Say(text, language, voice), stop_on=stop_on)

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
                await self.wait_for(news, gathering.until - self._time())
                gathering.check(self._time())
        finally:
            self._on_key = before
            if not gathering.is_over:  # it is broken off
                self.stop()
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
        """Record from now on what it says and what is said to it, or one of them; the call goes on meanwhile.

        OSError: too many recordings go on.
        """
        house, station = self._house, self.station

        def attach(recording: Recording) -> None:
            if sides == "said":
                station.tap(None, recording.heard)
            else:
                station.tap(recording.heard, recording.said)

        recording = house.recorder.begin(
            Path(path) if path is not None else house.recording_path(self._call.id),
            min(self.rate, 16000),
            sides,
            max_seconds=house.config.max_recording if max_length is None else max_length,
            silence=silence,
            owner=self._call.id,
            attach=attach,
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

    def hear_talk(self, told: Callable[[bool], object] | None) -> None:
        """Have it told when speech begins (True) and ends (False, half a second later); None: no more."""
        self._on_talk = told
        self._listen()

    @property
    def hears_talk(self) -> Callable[[bool], object] | None:
        """Who is told of talk now."""
        return self._on_talk

    async def wait_for_silence(self, seconds: float = 1.0, *, limit: float = 30.0) -> bool:
        """Wait until it has been quiet for so long; False: it was not, within ``limit``."""
        return await wait_for_silence(self, seconds, limit)

    async def detect(self, *, to_end: bool = False, rules: AnswerRules | None = None) -> Answered:
        """Find out who has answered: human, machine, fax or unknown; ask for it at once after the answer.

        ``to_end``: wait for the end of a machine's greeting, so that a message can be left: machine-beep,
        machine-silence, machine-unknown.
        """
        return await detect(self, AnswerDetector(rules), to_end=to_end)

    def stream(self, rate: int | None = None, *, side: Side = "heard") -> Stream:
        """Its sound as frames of 20 ms, and a way to speak to it, at ``rate`` or as the codec has it.

        ``side``: said, for what is said to it instead.
        """
        stream = Stream(self.station, rate or self.rate, side)
        self._streams.append(stream)
        return stream

    # -- from the engine

    def _on_sound(self, kind: str, value: int) -> None:
        if kind in ("played", "cut"):
            future = self._waiting.pop(value, None)
            if future is not None and not future.done():
                future.set_result(kind == "played")
        elif kind == "key-down":
            self._press(chr(value & 0xFF), "media")
        elif kind in ("talk", "silent") and self._on_talk is not None:
            self._on_talk(kind == "talk")
        for stream in self._streams:
            stream.hear(kind, value)

    # -- the end

    def _end(self, reason: str) -> None:
        """Nothing more is heard of it: whatever waits ends."""
        if self.is_over:
            return
        super()._end(reason)
        for stream in self._streams:
            stream.close()
        for recording in self._recordings:
            recording.stop("hangup")
        self._waiting.clear()
        self._on_talk = None
