"""Who has answered a call that we made: somebody, or a machine."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from switchroom.codecs import AnswerRules
from switchroom.switch.calls.script import CallEnded

from ..front.operation import Ask
from ..webhooks.courier import Letter
from ..wire import params
from .wishes import Detection

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call, Leg

    from .live import Live
    from .means import Means

_KINDS = {"machine": "machine_start", "machine-unknown": "machine_end_other"}
DETECTING = (
    params.choice("MachineDetection", "Enable", "DetectMessageEnd"),
    params.count("MachineDetectionTimeout", 3, 59),
    params.count("MachineDetectionSpeechThreshold", 1000, 6000),
    params.count("MachineDetectionSpeechEndThreshold", 500, 5000),
    params.count("MachineDetectionSilenceTimeout", 2000, 10000),
    params.flag("AsyncAmd"),
    params.url("AsyncAmdStatusCallback", code=21205),
    params.method("AsyncAmdStatusCallbackMethod", code=21209),
)


def detection_of(ask: Ask) -> dict[str, Any] | None:
    """What is wanted to be known, for the row of the call."""
    if not ask["MachineDetection"]:
        return None
    return asdict(
        Detection(
            ask["MachineDetection"] == "DetectMessageEnd",
            ask["MachineDetectionTimeout"] or 30,
            (ask["MachineDetectionSpeechThreshold"] or 2400) / 1000,
            (ask["MachineDetectionSpeechEndThreshold"] or 1200) / 1000,
            (ask["MachineDetectionSilenceTimeout"] or 5000) / 1000,
            ask["AsyncAmdStatusCallback"] or "",
            ask["AsyncAmdStatusCallbackMethod"] or "POST",
            bool(ask["AsyncAmd"]),
        )
    )


async def find_out(means: Means, live: Live, party: Call | Leg, wish: Detection) -> None:
    """Listen, write down who it is, and tell."""
    began = time.time()
    rules = AnswerRules(wish.speech, wish.pause, wish.silence, timeout=float(wish.timeout))
    try:
        found = await party.detect(to_end=wish.to_end, rules=rules)
    except CallEnded:
        return
    kind = _KINDS.get(found.kind, found.kind.replace("machine-", "machine_end_"))
    live.keep(answered_by=kind)
    if not wish.url:
        return
    given = [
        ("CallSid", live.sid),
        ("AccountSid", live.account),
        ("AnsweredBy", kind),
        ("MachineDetectionDuration", str(round((time.time() - began) * 1000))),
    ]
    means.office.note([], [Letter(live.account, live.sid, "call", wish.url, given, wish.method)], [])
