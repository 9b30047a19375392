"""THREATS B2: mutated messages cost one message each, never the process."""

from __future__ import annotations

import random
import time

import pytest

from ..peers.harness import Switch
from ..peers.raw import Wire, audio
from .conftest import BOB, size

SEEDS = (4475, 3261, 8760)


def corpus(wire: Wire) -> list[bytes]:
    """Sound messages to be mutated."""
    uri = f"sip:{BOB}@127.0.0.1:{wire.server[1]}"
    proof = 'Digest username="1001", realm="x", nonce="y", uri="sip:z", response="00", qop=auth, nc=00000001'
    return [
        wire.request("OPTIONS", f"sip:127.0.0.1:{wire.server[1]}"),
        wire.request(
            "REGISTER",
            f"sip:127.0.0.1:{wire.server[1]}",
            headers=[("Authorization", proof), ("Expires", "60")],
        ),
        wire.request("INVITE", uri, body=audio("127.0.0.1", 40000), headers=[("Proxy-Authorization", proof)]),
        wire.request("BYE", uri, to=f"<{uri}>;tag=1"),
        wire.request("CANCEL", uri),
        wire.request("MESSAGE", uri, body=b"hello", headers=[("Content-Type", "text/plain")]),
        wire.request("ACK", uri, to=f"<{uri}>;tag=1"),
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
        b"Call-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:c@d>\r\nContent-Length: 0\r\n\r\n",
    ]


_BITS = [
    b"\r\n",
    b"\n",
    b"\x00",
    b":",
    b";",
    b",",
    b"<",
    b">",
    b'"',
    b"\\",
    b"%",
    b"%00",
    b"[",
    b"]",
    b"@",
    b" ",
    b"\t",
    b"\xff",
    b"\xc3\x28",
    b"sip:",
    b"tag=",
    b"=",
    b"?",
    b"-1",
    b"99999999999999999999",
    b"\r\n ",
    b"Content-Length: 9\r\n",
    b"*",
    b"/",
    b"SIP/2.0",
]


def mutate(dice: random.Random, data: bytes) -> bytes:
    """One to six changes: octets, pieces of grammar, cuts, doubled slices."""
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(data) + 1)
        end = min(len(data), at + dice.randrange(1, 40))
        kind = dice.randrange(5)
        if kind == 0:
            data = data[:at] + dice.randbytes(dice.randint(1, 4)) + data[end:]
        elif kind == 1:
            data = data[:at] + dice.choice(_BITS) * dice.choice((1, 1, 1, 2, 50)) + data[at:]
        elif kind == 2:
            data = data[:at] + data[end:]
        elif kind == 3:
            data = data[:end] + data[at:end] * dice.randint(1, 20) + data[end:]
        else:
            data = data[:at] if dice.random() < 0.2 else data[:at] + dice.choice(_BITS) + data[end:]
        data = data[:60000] or b"x"
    return data


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_messages(target: Switch, seed: int) -> None:
    """B2 (5 s a seed; SWITCHROOM_LONG=1: 10 min): probes answered, 500s < 1 %, RSS + < 50 MB, no trace."""
    dice = random.Random(seed)
    rate, seconds = 200, size(5, 600)
    before, logged = target.rss_bytes(), target.log.stat().st_size
    sources = [Wire(target.address, local=(f"127.0.{seed % 200}.{n}", 0)) for n in range(1, 21)]
    answers: list[int] = []
    began = time.monotonic()
    with Wire(target.address) as probe:
        try:
            for n in range(rate * seconds):
                wire = sources[n % len(sources)]
                wire.send(mutate(dice, dice.choice(corpus(wire))))
                wire.trace.clear()
                while (heard := wire.receive(0)) is not None:
                    answers.append(heard.status if heard.is_response else 0)
                if n % rate == 0:
                    assert probe.options(2.0) < 1.0
                    probe.trace.clear()
                time.sleep(max(0.0, began + n / rate - time.monotonic()))  # paced, as the row says
            assert probe.options() < 1.0
        finally:
            for wire in sources:
                wire.close()
    assert len(answers) > rate * seconds * 0.1  # it was heard at all
    assert answers.count(500) < len(answers) * 0.01
    assert target.rss_bytes() - before < 50 << 20
    assert "Traceback" not in target.log.read_text(errors="replace")[logged:]
