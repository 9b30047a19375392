"""Calls between two phones that are recorded because a user or a route says so, or somebody asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from switchroom.switch.media import sounding
from switchroom.switch.media.recorder import Recorded, Recording

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.calls.ledger import Log

    from .house import House


class CallRecordings:
    """Follows the calls of the exchange, and listens to those that are to be recorded."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._recordings: dict[str, list[Recording]] = {}  # by call
        house.exchange.on_call_state.append(self._on_call)

    def of(self, call_id: str) -> list[Recording]:
        """What is recorded of a call now."""
        return list(self._recordings.get(call_id, ()))

    def start(self, call: SipCall, path: Path | None = None) -> Recording:
        """Record both sides of an answered call, as recording_sides has it.

        OSError: too many recordings go on; LookupError: its sound is not known here (it is encrypted from end
        to end, or in codecs that are not here), or it is not up.
        """
        house = self._house
        if call.is_over or call.b is None or call.answered_at is None:
            raise LookupError("the call is not up")
        one = sounding.tap(call.media, call.a.media)
        two = sounding.tap(call.media, call.b.media)
        if one is None or two is None:
            raise LookupError("the sound of the call cannot be listened to")
        recording = house.recorder.begin(
            path or house.recording_path(call.id),
            min(max(sounding.rate_of(leg.media) for leg in (call.a, call.b)), 16000),
            house.config.recording_sides,
            max_seconds=house.config.max_recording,
            owner=call.id,
            attach=lambda recording: one.tap(recording.heard, recording.said, other=two),
        )
        self._recordings.setdefault(call.id, []).append(recording)
        recording.ended.add_done_callback(lambda done: self._ended(call.id, recording))
        return recording

    def _ended(self, call_id: str, recording: Recording) -> None:
        left = self._recordings.get(call_id, [])
        if recording in left:
            left.remove(recording)
        if not left:
            self._recordings.pop(call_id, None)
            call = self._house.exchange.calls.get(call_id)
            if call is not None and not call.is_over:
                for leg in (call.a, call.b):
                    if leg is not None:
                        sounding.untap(call.media, leg.media)
        log_recorded(self._house.exchange.log, call_id, recording.ended.result())

    def _on_call(self, call: SipCall, now: float) -> None:
        if call.is_over:
            for recording in self._recordings.get(call.id, ()) if self._recordings else ():
                recording.stop("hangup")
        elif call.answered_at is not None and call.b is not None and not call.is_heard:
            call.is_heard = True
            if self._is_wanted(call):
                try:
                    self.start(call)
                except (OSError, LookupError) as error:
                    self._house.exchange.log.warning("recording.failed", call=call.id, error=str(error))

    def _is_wanted(self, call: SipCall) -> bool:
        recorded = call.exchange.config.recorded
        if recorded and (call.a.account in recorded or (call.b is not None and call.b.account in recorded)):
            return True
        return call.plan is not None and call.plan.is_recorded


def log_recorded(log: Log, call_id: str, done: Recorded) -> None:
    """Say what became of a recording."""
    say = log.warning if done.reason in ("disk-full", "failed") else log.info
    say("recording.ended", call=call_id, path=str(done.path), seconds=done.seconds, reason=done.reason)
