"""THREATS B4: one request inside another, two lengths, names that are none."""

from __future__ import annotations

import pytest

from ..peers.harness import Switch
from ..peers.raw import Wire, branch
from .messages import message

INNER = "inner-" + branch()[8:]


def smuggled(kind: str) -> str:
    """A request whose end is a matter of interpretation, with a second one where some would look for it."""
    inner = message(changes={"Call-ID": INNER})
    body = "x" * 20
    whole = str(len(body + inner))
    texts = {
        "two lengths": message(
            changes={"Content-Length": "20"}, extra=f"Content-Length: {20 + len(inner)}\r\n"
        ),
        "two lengths, compact": message(changes={"Content-Length": "20"}, extra=f"l: {20 + len(inner)}\r\n"),
        "equal-looking lengths": message(changes={"Content-Length": "20, 20"}),
        "folded length": message(changes={"Content-Length": f"2\r\n 0{len(inner)}"}),
        "folded name": message(changes={"Content-Length": None}, extra="Content-\r\n Length: 20\r\n"),
        "vertical tab before the colon": message(
            changes={"Content-Length": None}, extra="Content-Length\x0b: 20\r\n"
        ),
        "NUL before the colon": message(changes={"Content-Length": None}, extra="Content-Length\x00: 20\r\n"),
        "bare CR": message(changes={"Content-Length": None}, extra="X: y\rContent-Length: 20\r\n"),
        "bare LF": message(changes={"Content-Length": None}, extra="X: y\nContent-Length: 20\r\n"),
        "two Call-IDs": message(changes={"Content-Length": whole}, extra="Call-ID: another\r\n"),
        "two From": message(changes={"Content-Length": whole}, extra="From: <sip:y@127.0.0.1>;tag=2\r\n"),
        "two CSeq": message(changes={"Content-Length": whole}, extra="CSeq: 2 OPTIONS\r\n"),
        "two Max-Forwards": message(changes={"Content-Length": whole}, extra="Max-Forwards: 1\r\n"),
    }
    return texts[kind] + body + inner


KINDS = (
    "two lengths",
    "two lengths, compact",
    "equal-looking lengths",
    "folded length",
    "folded name",
    "vertical tab before the colon",
    "NUL before the colon",
    "bare CR",
    "bare LF",
    "two Call-IDs",
    "two From",
    "two CSeq",
    "two Max-Forwards",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_inside_another(target: Switch, kind: str) -> None:
    """B4: refused with 400 or cut off; the inner request is never carried out."""
    with Wire(target.address, "tcp") as wire:
        wire.send(smuggled(kind).replace("SIP/2.0/UDP", "SIP/2.0/TCP"))
        answers = []
        while (answer := wire.receive(0.4)) is not None:
            answers.append(answer)
        assert not [a for a in answers if a.get("call-id") == INNER]
        assert {a.status for a in answers} <= {400}
        assert answers or wire.is_closed_by_remote
        if "length" in kind.lower():
            assert wire.is_closed_by_remote  # nobody knows where the next message begins
    with Wire(target.address) as probe:
        probe.send(smuggled(kind))
        answer = probe.receive(0.5)
        assert answer is None or answer.status == 400
        assert probe.options() < 0.5
