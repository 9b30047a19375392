"""THREATS C10, B12: strangers get little back, and what they send fills no log and writes no line of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..peers.harness import PASSWORD, Switch, users
from ..peers.phone import Phone
from ..peers.raw import Wire, audio, branch
from .conftest import ALICE, size

METHODS = (
    "OPTIONS",
    "REGISTER",
    "INVITE",
    "MESSAGE",
    "SUBSCRIBE",
    "PUBLISH",
    "REFER",
    "BYE",
    "NOTIFY",
    "FOO",
)
FACTOR = 1.5


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """Its limits are the default ones."""
    with Switch(tmp_path_factory.mktemp("reflection"), users=users([ALICE])) as running:
        yield running


def short(method: str, port: int) -> bytes:
    """The least that a request can be: compact names, nothing that need not be there."""
    return (
        f"{method} sip:a SIP/2.0\r\nv:SIP/2.0/UDP h:{port};rport;branch=z9hG4bK{branch()[-6:]}\r\n"
        f"f:<sip:a>;tag=1\r\nt:<sip:a>\r\ni:{branch()[-6:]}\r\nCSeq:1 {method}\r\nl:0\r\n\r\n"
    ).encode()


def octets_back(wire: Wire) -> int:
    """How much came, from the trace of the socket itself."""
    wire.trace.clear()
    while wire.receive(0.15) is not None:
        pass
    return sum(len(line.partition("< ")[2].encode()) for line in wire.trace if " < " in line)


@pytest.mark.parametrize("method", METHODS)
def test_no_answer_is_much_larger_than_its_request(switch: Switch, method: str) -> None:
    """C10: answer / request <= 1.5 for strangers over UDP; usual requests are answered all the same.

    The least that is a request at all may be refused with a little more: it is but 130 octets.
    """
    with Wire(switch.address, local=("127.0.0.40", 0)) as wire:
        uri = f"sip:127.0.0.1:{switch.port}"
        for data, is_usual in (
            (wire.request(method, uri), True),
            (wire.request(method, f"sip:{ALICE}@127.0.0.1:{switch.port}", contact=False), False),
            (wire.request(method, uri, body=audio("127.0.0.1", 40000)), True),
            (short(method, wire.address[1]), False),
        ):
            wire.send(data)
            size_back = octets_back(wire)
            is_least = len(data) < 150 and method not in ("OPTIONS", "REGISTER")
            assert size_back <= (1.7 if is_least else FACTOR) * len(data), wire.trace
            assert size_back > 0 or not is_usual


def test_a_refused_call_is_told_once(switch: Switch) -> None:
    """C10: nothing is kept for a stranger's INVITE, so nothing of its 401 is repeated."""
    with Wire(switch.address, local=("127.0.0.41", 0)) as wire:
        wire.send(wire.request("INVITE", f"sip:{ALICE}@127.0.0.1:{switch.port}"))
        assert wire.final(2).status == 401
        assert wire.hears_nothing(1.2)  # timer G would have spoken at 0.5 s


def test_who_is_known_gets_everything(switch: Switch) -> None:
    """The rule is for strangers: where a phone is registered, OPTIONS is answered in full."""
    with (
        Phone(switch.address, ALICE, PASSWORD, local=("127.0.0.42", 0)) as phone,
        Wire(switch.address, local=("127.0.0.43", 0)) as stranger,
    ):
        for wire, has_supported in ((stranger, False), (phone, False)):
            wire.send(wire.request("OPTIONS", f"sip:127.0.0.1:{switch.port}"))
            assert bool(wire.final(2).all("supported")) is has_supported
        assert phone.register().status == 200
        phone.send(phone.request("OPTIONS", f"sip:127.0.0.1:{switch.port}"))
        assert phone.final(2).all("supported")


RUBBISH = (
    b"INVITE sip:x SIP/2.0\r\nVia: nonsense\x1b[31m\r\nFrom: \x07x\r\nTo: y\r\nCall-ID: 1\r\nCSeq: z\r\n\r\n",
    b"\x1b]0;title\x07\r\nforged=line level=info event=call.ended\r\n\r\n",
    b"REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
    b"From: <sip:a\x85b>;tag=1\r\nTo: <sip:a>\r\n"
    b'Call-ID: 1\r\nCSeq: 1 REGISTER\r\nAuthorization: Digest username="a", response="5ec4e7", x\r\n\r\n',
    b"OPTIONS sip:x SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK2\n\n",
    bytes(range(256)),
)


@pytest.mark.parametrize("level", ["info", "debug"])
def test_rubbish_fills_no_log_and_writes_no_line(tmp_path: Path, level: str) -> None:
    """B12 (10,000 packets; SWITCHROOM_LONG=1: 100,000): < 10 MB (at info), no control octet, no secret."""
    count = size(10_000, 100_000)
    with Switch(
        tmp_path,
        users=users([ALICE]),
        log={"level": level},
        sip={"source_rate": 100_000, "source_burst": 100_000},
        auth={"max_malformed": 1_000_000},
    ) as switch:
        with Phone(switch.address, ALICE, PASSWORD) as phone:
            assert phone.register().status == 200
            phone.password = "wrong-horse-8"
            assert phone.register().status == 401
        with Wire(switch.address, local=("127.0.0.44", 0)) as wire:
            for at in range(count):
                wire.socket.sendto(RUBBISH[at % len(RUBBISH)], switch.address)
                if at % 64 == 0:
                    wire.forget()
        switch.wait_ready()
    text = switch.log.read_bytes()
    if level == "info":
        assert len(text) < 10_000_000 * count // 100_000
    assert b"\r" not in text
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", text)
    assert b"\nforged=line" not in text
    for secret in (PASSWORD, "wrong-horse-8", "5ec4e7"):
        assert secret.encode() not in text
