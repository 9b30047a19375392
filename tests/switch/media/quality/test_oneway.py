"""Why a leg is not heard, from what was counted."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from switchroom.switch.media.quality.oneway import Expectation, Look, cause_of
from switchroom.switch.media.stream import DROP_REASONS, Counters, Detail

PLACE = ("192.0.2.9", 4000)


def look(
    packets: int = 0, rtcp: int = 0, *, kind: int = 0, stranger: tuple[str, int] | None = None, **drops: int
) -> Look:
    dropped = tuple(drops.get(reason, 0) for reason in DROP_REASONS)
    counters = Counters(packets=packets, rtcp_packets=rtcp, dropped=dropped)
    return Look(counters, Detail(payload_type=kind, stranger=stranger))


@dataclass
class Case:
    before: Look
    now: Look
    said: str
    silent_for: float = 6.0
    place: tuple[str, int] | None = PLACE


CASES = {
    "it speaks": Case(look(10), look(20), "", 0.0),
    "not long enough": Case(look(10), look(10), "", 4.0),
    "nothing": Case(look(), look(), "no packets come from it"),
    "nothing any more": Case(look(10), look(10), "no packets come from it"),
    "muted": Case(look(10, 1), look(10, 2), ""),
    "never spoke, but reports": Case(look(0, 1), look(0, 2), "only RTCP comes from it, no sound"),
    "from elsewhere": Case(
        look(source=5),
        look(source=250, stranger=("198.51.100.7", 5000)),
        "its packets come from 198.51.100.7:5000 instead of 192.0.2.9:4000",
    ),
    "from elsewhere, over IPv6": Case(
        look(),
        look(source=2, stranger=("2001:db8::7", 5000)),
        "its packets come from [2001:db8::7]:5000, where its signalling does not come from",
        place=None,
    ),
    "an attack that is over": Case(look(source=250), look(source=250), "no packets come from it"),
    "another source": Case(look(10), look(10, ssrc=99), "it has another SSRC than the one it began with"),
    "rubbish": Case(look(), look(malformed=99), "what comes from it is no RTP"),
    "too much": Case(look(), look(rate=99), "its packets are refused: rate"),
    "heard, but nobody to hear it": Case(look(), look(unsent=99), ""),
    "a codec of its own": Case(look(10), look(260, kind=18), "its payload type 18 was not agreed", 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_the_cause(name: str) -> None:
    case = CASES[name]
    expected = Expectation(case.place, frozenset((0, 8, 101)))
    assert cause_of(case.before.counters, case.now, expected, case.silent_for) == case.said


def test_where_nothing_was_said_of_payload_types_any_will_do() -> None:
    assert cause_of(look(1).counters, look(9, kind=99), Expectation(None, frozenset()), 0.0) == ""
