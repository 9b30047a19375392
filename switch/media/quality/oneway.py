"""A leg that should be heard and is not: what the counters say about why."""

from __future__ import annotations

from typing import NamedTuple

from switchroom.switch.media.stream import DROP_REASONS, Counters, Detail

SILENT_AFTER = 4.5  # seconds without a packet


class Look(NamedTuple):
    """What was known of a leg's sound at one moment."""

    counters: Counters = Counters()
    detail: Detail = Detail()


class Expectation(NamedTuple):
    """What its descriptions say."""

    place: tuple[str, int] | None  # where it should send from; None: anywhere, as it is behind a NAT
    payload_types: frozenset[int]


def cause_of(before: Counters, now: Look, expected: Expectation, silent_for: float) -> str:
    """Why nothing is heard since the last look; "": it is heard, or it is muted and says so by RTCP."""
    came = now.counters.packets - before.packets
    if came:
        kind = now.detail.payload_type
        if expected.payload_types and kind not in expected.payload_types:
            return f"its payload type {kind} was not agreed"
        return ""
    if silent_for < SILENT_AFTER:
        return ""
    refused = _refused(before, now.counters)
    if refused:
        return _because(refused, now.detail, expected)
    if now.counters.rtcp_packets > before.rtcp_packets:
        return "" if now.counters.packets else "only RTCP comes from it, no sound"
    return "no packets come from it"


def _refused(before: Counters, now: Counters) -> str:
    """The reason for which most was refused."""
    counts = [late - early for early, late in zip(before.dropped, now.dropped, strict=True)]
    most = max(counts)
    return DROP_REASONS[counts.index(most)] if most else ""


def _because(reason: str, detail: Detail, expected: Expectation) -> str:
    if reason == "source":
        came = "another address" if detail.stranger is None else _shown(detail.stranger)
        if expected.place is None:
            return f"its packets come from {came}, where its signalling does not come from"
        return f"its packets come from {came} instead of {_shown(expected.place)}"
    return _SAID.get(reason, f"its packets are refused: {reason}")


def _shown(place: tuple[str, int]) -> str:
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_SAID = {
    "malformed": "what comes from it is no RTP",
    "ssrc": "it has another SSRC than the one it began with",
    "unlinked": "its packets have nowhere to go yet",
    "unsent": "",  # it is heard; the other leg is not there to be sent to
    "unauthentic": "its SRTP is not authentic: keys differ, or there are none yet",
}
