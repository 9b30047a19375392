"""While there is much, new requests wait and the rest goes first (THREATS G9)."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.flow import Flow
from switchroom.switch.net import NetLimits
from switchroom.switch.net.answers import Refusals
from switchroom.switch.net.backlog import Backlog, branch_of, is_new

PHONE = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.7", 5060))
STRANGER = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.8", 5070))


def request(method: str, tag: str = "", more: str = "") -> bytes:
    return (
        f"{method} sip:1@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;rport\r\n"
        f"From: <sip:a@x>;tag=1\r\nTo: <sip:1@x>{tag}\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n"
        f"Contact: <sip:a@10.0.0.1>\r\n{more}Content-Length: 0\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("data", "is_it"),
    [
        (request("INVITE"), True),
        (request("REGISTER"), True),
        (request("INVITE", ";tag=7"), False),
        (request("BYE", ";tag=7"), False),
        (request("ACK"), False),
        (request("CANCEL"), False),
        (b"SIP/2.0 200 OK\r\n\r\n", False),
    ],
)
def test_what_is_new(data: bytes, is_it: bool) -> None:
    assert is_new(data) == is_it


def test_what_goes_on_and_phones_that_register_again_do_not_wait() -> None:
    backlog = Backlog(lambda host: host == PHONE.remote[0])
    urgent = [(request("BYE", ";tag=7"), STRANGER), (request("REGISTER"), PHONE)]
    new = [(request("INVITE"), PHONE), (request("REGISTER"), STRANGER)]
    assert backlog.sort([new[0], urgent[0], new[1], urgent[1]]) == (urgent, new)


def test_phones_have_three_turns_of_four_and_strangers_the_rest() -> None:
    backlog = Backlog(lambda host: host == PHONE.remote[0])
    for flow in [STRANGER] * 100 + [PHONE] * 30:
        backlog.put(request("INVITE"), flow, 1.0)
    taken, late = backlog.take(1.1, 0.2)
    assert [item.flow for item in taken] == [PHONE] * 12 + [STRANGER] * 4
    assert not late
    backlog.take(1.1, 0.2)
    taken, _ = backlog.take(1.1, 0.2)
    assert [item.flow for item in taken].count(PHONE) == 6
    taken, _ = backlog.take(1.1, 0.2)
    assert [item.flow for item in taken] == [STRANGER] * 16


def test_what_waits_too_long_is_given_up_once_waits_are_too_long_for_as_long_again() -> None:
    backlog = Backlog(lambda host: False)
    for n in range(200):
        backlog.put(request("INVITE"), STRANGER, 1.0 + n / 1000)
    assert not backlog.take(1.3, 0.2)[1]
    assert not backlog.take(1.45, 0.2)[1]
    taken, late = backlog.take(1.51, 0.2)
    assert len(late) == 200 - 2 * 16
    assert not taken
    assert not len(backlog)


def test_after_a_pause_all_that_came_meanwhile_is_taken() -> None:
    """However long it was: what counts is whether the queue shrinks afterwards."""
    backlog = Backlog(lambda host: False)
    for _ in range(320):
        backlog.put(request("INVITE"), STRANGER, 1.0)
    turns = [backlog.take(61.0 + 0.009 * n, 0.2) for n in range(20)]
    assert sum(len(taken) for taken, _ in turns) == 320
    assert not any(late for _, late in turns)


def test_all_that_is_late_is_given_up_until_waits_are_half_as_long() -> None:
    backlog = Backlog(lambda host: False)

    def given_up(now: float) -> list[float]:
        return [item.since for item in backlog.take(now, 0.2)[1]]

    for n in range(20):
        for _ in range(20):
            backlog.put(request("INVITE"), STRANGER, 1.0 + n / 10)
    assert not given_up(1.25)
    assert set(given_up(1.55)) == {1.0, 1.1, 1.2, 1.3}
    assert set(given_up(1.65)) == {1.4}  # this is overload: at once, but for those that had their turn
    assert set(given_up(1.85)) == {1.5, 1.6}
    assert not given_up(1.79)  # the first has waited for less than half of what it may
    assert not given_up(2.05)
    assert set(given_up(2.3)) == {1.9, 2.0}


@pytest.mark.parametrize("more", ["", "Subject: x\r\n y\r\n", "v: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK0\r\n"])
def test_a_refusal_is_the_same_whether_its_request_was_parsed_or_not(more: str) -> None:
    refusals = Refusals(NetLimits(retry_after=7))
    data = request("INVITE", more="Subject: a longer request, so that no answer is too large\r\n" * 3 + more)
    quick = refusals.overload(data, STRANGER)
    slow = refusals._answer(data, STRANGER, 503, (("Retry-After", 7),))
    assert quick is not None
    assert slow is not None
    one, other = sip.parse(quick[0]), sip.parse(slow[0])
    assert isinstance(one, sip.Response)
    for name in ("From", "To", "Call-ID", "CSeq", "Retry-After", "Content-Length"):
        assert one.get(name) == other.get(name)
    assert one.status == 503
    assert (one.via.received, one.via.param("rport")) == ("192.0.2.8", "5070")
    assert len(one.vias) == len(other.vias)
    assert refusals.ack_mark in quick[0]


def test_a_repetition_is_known_by_its_branch() -> None:
    assert branch_of(request("INVITE")) == b"z9hG4bK1"
    assert branch_of(b"INVITE sip:x SIP/2.0\r\n\r\n") == b"INVITE sip:x SIP/2.0\r\n\r\n"
