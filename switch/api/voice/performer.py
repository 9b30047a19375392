"""Carries out what a document wants, with one party of a call."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from switchroom.codecs.codec import CodecError
from switchroom.switch.calls.script import Call, CallEnded, Leg, Silence, refer

from ..twiml.document import TwimlError
from ..webhooks.fetch import FetchError
from ..wire.errors import ApiError
from . import actions
from .speaking.listening import Listening
from .speaking.speech import SpeechError

if TYPE_CHECKING:
    from pathlib import Path

    from switchroom.switch.media.clips import Sound

    from .live import Live
    from .means import Means
    from .program import Program

Params = tuple[tuple[str, str], ...]
_MOST_LOOPS = 50  # of what is played while keys are awaited


class Performer:
    """One party and its documents."""

    def __init__(
        self, means: Means, live: Live, party: Call | Leg, params: Callable[[], Params] | None = None
    ) -> None:
        """``params``: what servers are told besides, each time anew."""
        self.means, self.live, self.party, self._params = means, live, party, params
        self.has_left = False  # the queue
        self._has_reported = False  # what came of a verb, after the end of the call
        self.refused = 0  # the code of what was wrong last

    async def run(self, program: Program) -> None:
        """Carry out a program until its end; CallEnded: the party has left."""
        running = program.run()
        try:
            action = next(running)
            while True:
                self._check(action)
                try:
                    result = await _CARRY_OUT[type(action)](self, action)
                except (FetchError, TwimlError) as error:
                    action = running.throw(error)
                else:
                    action = running.send(result)
        except StopIteration:
            return
        finally:
            running.close()

    def _check(self, action: actions.Action) -> None:
        """Of somebody who has left only that is told, and a text may be sent where that is answered so."""
        if not self.party.is_over or isinstance(action, actions.Complain | actions.HangUp):
            return
        if isinstance(action, actions.Fetch) and action.is_report:
            self._has_reported = True
        elif not (self._has_reported and isinstance(action, actions.Text)):
            raise CallEnded(self.party.ended.result())

    @property
    def call(self) -> Call:
        """The call itself: a leg has no verbs that need it."""
        assert isinstance(self.party, Call)
        return self.party

    # -- actions

    async def _fetch(self, action: actions.Fetch) -> actions.Page:
        if self._params is not None:
            action = dataclasses.replace(action, params=(*action.params, *self._params()))
        return await self.live.fetch(action, "completed" if self.party.is_over else "")

    async def _answer(self, action: actions.Answer) -> None:
        if isinstance(self.party, Call):
            await self.party.answer()
            self.live.enter("in-progress")

    async def _say(self, action: actions.Say) -> None:
        sound = await self._spoken(action)
        if sound is not None:
            await self._sound(sound, action.loops)

    async def _play(self, action: actions.Play) -> None:
        sound = await self._played(action)
        if sound is not None:
            await self._sound(sound, action.loops)

    async def _spoken(self, action: actions.Say) -> Path | None:
        if not action.text:
            return None
        try:
            return await self.means.speech.speak(action.text, action.voice, action.language)
        except SpeechError as error:
            self.live.complain(13520, f"Say: {error}")
            return None

    async def _played(self, action: actions.Play) -> Path | None:
        try:
            return await self.means.sounds.fetch(self.live.account, action.url)
        except FetchError as error:
            self.live.complain(error.code, f"Play: {error.message}")
            return None

    async def _sound(self, sound: Sound, loops: int) -> None:
        try:
            await self.party.play(sound, loops=loops)
        except (CodecError, OSError) as error:
            self.live.complain(13420, f"Play: {error}")

    async def _press(self, action: actions.Press) -> None:
        await self.party.send_keys(action.keys)

    async def _wait(self, action: actions.Wait) -> None:
        if isinstance(self.party, Call) and not self.party.is_answered:
            await self.party.ring()
            self.live.enter("ringing")
            await asyncio.wait({self.party.ended}, timeout=action.seconds)
            if self.party.is_over:
                raise CallEnded(self.party.ended.result())
        elif action.seconds:
            await self.party.play(Silence(1.0), loops=round(action.seconds))

    async def _gather(self, action: actions.Gather) -> actions.Keys:
        prompt: list[Sound] = []
        for one in action.prompts:
            prompt += await self._prompt(one)
        if not action.is_interruptible:
            for sound in prompt:
                await self._sound(sound, 1)
            prompt = []
        if action.hears_speech:
            if self.means.hearing.is_possible:
                try:
                    return await Listening(self, action).gather(prompt)
                except (CodecError, OSError) as error:
                    self.live.complain(13325, f"Gather: {error}")
                    return actions.Keys("")
            self.live.complain(13326, "Gather: input: speech is not understood here (api.transcribe_command)")
        for attempt in (prompt, []):
            try:
                keys = await self.party.gather(
                    action.count,
                    timeout=action.timeout,
                    finish_on=action.finish_on,
                    prompt=tuple(attempt),
                )
            except (CodecError, OSError) as error:
                self.live.complain(13325, f"Gather: {error}")
                continue
            return actions.Keys(keys, self.party.finished_by)
        return actions.Keys("")

    async def _prompt(self, one: actions.Prompt) -> list[Sound]:
        if isinstance(one, actions.Wait):
            return [Silence(1.0)] * round(one.seconds)
        sound = await (self._spoken(one) if isinstance(one, actions.Say) else self._played(one))
        return [] if sound is None else [sound] * min(one.loops or _MOST_LOOPS, _MOST_LOOPS)

    async def _record(self, action: actions.Record) -> actions.Recorded | None:
        return await self.means.tapes.record(self.live, self.party, action)

    async def _dial(self, action: actions.Dial) -> actions.Dialled:
        from .dialler import Dialler  # it makes performers for those whom it calls

        if action.conference is not None:
            return await self.means.conferences.take_part(self, action, action.conference)
        if action.queue is not None:
            return await self.means.queues.take_first(self, action, action.queue)
        if not isinstance(self.party, Call):
            await self._complain(actions.Complain(13201, "Dial: who was dialled cannot dial out"))
            return actions.Dialled("failed")
        return await Dialler(self, action).dial()

    async def _enqueue(self, action: actions.Enqueue) -> actions.Dequeued:
        return await self.means.queues.wait(self, action)

    async def _leave(self, action: actions.Leave) -> None:
        self.has_left = True

    async def _refer(self, action: actions.Refer) -> actions.Sent:
        done = await refer(self.party, action.uri)
        return actions.Sent(done.status, done.told)

    async def _connect(self, action: actions.Connect) -> str:
        return await self.means.streams.connect(self.live, self.party, action.stream)

    async def _start_stream(self, action: actions.StartStream) -> None:
        self.means.streams.start(self.live, self.party, action.stream)

    async def _stop_stream(self, action: actions.StopStream) -> None:
        if not self.means.streams.stop(self.live, action.name):
            self.live.complain(31952, f"Stop: there is no stream {action.name[:100]}")

    async def _start_recording(self, action: actions.StartRecording) -> None:
        source, start = "StartCallRecordingTwiML", self.means.tapes.start
        try:
            start(
                *(self.live, self.party, source, action.channels, action.tell),
                is_trimmed=action.is_trimmed,
                track=action.track,
            )
        except OSError as error:
            self.live.complain(13217, f"Recording: {error}")

    async def _stop_recording(self, action: actions.StopRecording) -> None:
        self.means.tapes.stop_all(self.live)

    async def _start_captions(self, action: actions.StartCaptions) -> None:
        self.means.captions.start(self.live, self.party, action.captions)

    async def _stop_captions(self, action: actions.StopCaptions) -> None:
        if not self.means.captions.stop(self.live, action.name):
            self.live.complain(12200, f"Stop: there is no transcription {action.name[:100]}")

    async def _echo(self, action: actions.Echo) -> None:
        self.party.station.echo()
        try:
            await self.party.wait()
        finally:
            if not self.party.is_over:
                self.party.station.echo(False)

    async def _text(self, action: actions.Text) -> None:
        doc = self.live.doc
        caller, here = (doc.source, doc.target)
        if doc.data["direction"] != "inbound":
            caller, here = here, caller
        given: dict[str, Any] = {
            "To": action.to or caller,
            "From": action.sender or here,
            "Body": action.body,
            "MediaUrl": list(action.media),
        }
        if action.callback:
            given["StatusCallback"] = action.callback
        try:
            await self.means.send_text(doc.account, given, "outbound-call")
        except ApiError as error:
            self.live.complain(error.code, f"Message: {error.message}")

    async def _reject(self, action: actions.Reject) -> None:
        status = 486 if action.is_busy else 603
        self.live.end("busy" if action.is_busy else "failed", status)
        await self.call.reject(status)

    async def _hang_up(self, action: actions.HangUp) -> None:
        if action.is_failure and isinstance(self.party, Call) and not self.party.is_answered:
            self.live.end("failed", 480)
        if not self.party.is_over:
            await self.party.hang_up()

    async def _complain(self, action: actions.Complain) -> None:
        self.refused = action.code
        self.live.complain(action.code, action.message)


_CARRY_OUT: dict[type, Callable[[Performer, Any], Awaitable[Any]]] = {
    actions.Fetch: Performer._fetch,
    actions.Answer: Performer._answer,
    actions.Say: Performer._say,
    actions.Play: Performer._play,
    actions.Press: Performer._press,
    actions.Wait: Performer._wait,
    actions.Gather: Performer._gather,
    actions.Dial: Performer._dial,
    actions.Refer: Performer._refer,
    actions.Enqueue: Performer._enqueue,
    actions.Leave: Performer._leave,
    actions.Record: Performer._record,
    actions.Connect: Performer._connect,
    actions.StartStream: Performer._start_stream,
    actions.StopStream: Performer._stop_stream,
    actions.StartRecording: Performer._start_recording,
    actions.StopRecording: Performer._stop_recording,
    actions.StartCaptions: Performer._start_captions,
    actions.StopCaptions: Performer._stop_captions,
    actions.Echo: Performer._echo,
    actions.Text: Performer._text,
    actions.Reject: Performer._reject,
    actions.HangUp: Performer._hang_up,
    actions.Complain: Performer._complain,
}
