"""THREATS B1: fields that are too large or too many."""

from __future__ import annotations

import pytest

from ..peers.digest import challenges
from ..peers.harness import Switch
from ..peers.raw import Message, SilenceError, Wire
from .messages import message

CLOSED = 0  # no answer
BIG = "A" * 10_000
HUGE = "B" * 40_000


def oversized() -> dict[str, str]:
    """Messages with one field that is too large or too many."""
    found: dict[str, str] = {}
    for value, name in ((BIG, "10 KB"), (HUGE, "40 KB")):
        found |= {
            f"CSeq number {name}": message(changes={"CSeq": "9" * len(value) + " OPTIONS"}),
            f"CSeq method {name}": message(changes={"CSeq": "1 " + value}),
            f"Accept {name}": message(extra=f"Accept: {value}\r\n"),
            f"To tag {name}": message(changes={"To": f"<sip:1002@127.0.0.1>;tag={value}"}),
            f"From tag {name}": message(changes={"From": f"<sip:x@127.0.0.1>;tag={value}"}),
            f"From display {name}": message(changes={"From": f'"{value}" <sip:x@127.0.0.1>;tag=1'}),
            f"Call-ID {name}": message(changes={"Call-ID": value}),
            f"Via branch {name}": message(
                changes={"Via": f"SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK{value}"}
            ),
            f"Via host {name}": message(changes={"Via": f"SIP/2.0/UDP {value}:9;rport;branch=z9hG4bKa"}),
            f"Contact {name}": message(changes={"Contact": f"<sip:{value}@127.0.0.1>"}),
            f"Request-URI {name}": message(start=f"OPTIONS sip:{value}@127.0.0.1 SIP/2.0"),
            f"method {name}": message(start=f"{value} sip:127.0.0.1 SIP/2.0"),
            f"version {name}": message(start=f"OPTIONS sip:127.0.0.1 SIP/{value}"),
            f"header name {name}": message(extra=f"{value}: x\r\n"),
            f"Max-Forwards {name}": message(changes={"Max-Forwards": "1" * len(value)}),
            f"Expires {name}": message(extra=f"Expires: {'9' * len(value)}\r\n"),
            f"Content-Type {name}": message(extra=f"Content-Type: {value}\r\n"),
            f"Authorization {name}": message(extra=f'Authorization: Digest username="{value}"\r\n'),
            f"Route {name}": message(extra=f"Route: <sip:{value};lr>\r\n"),
            f"folded {name}": message(extra="Subject: x\r\n" + " y\r\n" * (len(value) // 4)),
            f"parameters {name}": message(
                changes={"From": "<sip:x@127.0.0.1>;tag=1" + ";a=b" * (len(value) // 4)}
            ),
            f"quoted pairs {name}": message(
                changes={"From": '"' + '\\"' * (len(value) // 2) + '" <sip:x@h>;tag=1'}
            ),
            f"unclosed quote {name}": message(changes={"From": '"' + value}),
            f"unclosed bracket {name}": message(changes={"From": "<sip:" + value}),
            f"URI headers {name}": message(start=f"OPTIONS sip:127.0.0.1?a={value} SIP/2.0"),
        }
    found |= {
        "129 headers": message(extra="X-A: b\r\n" * 129),
        "5000 headers": message(extra="X-A: b\r\n" * 5000),
        "71 Via": message(extra="Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n" * 71),
        "71 Via in a line": message(
            changes={"Via": ", ".join(["SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx"] * 71)}
        ),
        "1000 Contact": message(
            "REGISTER", {"Contact": ", ".join(f"<sip:a{n}@127.0.0.1>" for n in range(1000))}
        ),
        "100 Route": message(extra="Route: <sip:127.0.0.1;lr>\r\n" * 100),
        "100 Record-Route": message(extra="Record-Route: <sip:127.0.0.1;lr>\r\n" * 100),
        "2000 Require": message(extra="Require: " + ",".join(f"o{n}" for n in range(2000)) + "\r\n"),
        "CSeq 2**31": message(changes={"CSeq": "2147483648 OPTIONS"}),
        "CSeq 2**32": message(changes={"CSeq": "4294967296 OPTIONS"}),
        "CSeq 2**64": message(changes={"CSeq": "18446744073709551616 OPTIONS"}),
        "Max-Forwards 256": message(changes={"Max-Forwards": "256"}),
        "Max-Forwards -1": message(changes={"Max-Forwards": "-1"}),
        "port 70000": message(changes={"Via": "SIP/2.0/UDP 127.0.0.1:70000;rport;branch=z9hG4bKp"}),
        "port of the URI": message(start="OPTIONS sip:127.0.0.1:4294967297 SIP/2.0"),
        "Content-Length 2**32": message(changes={"Content-Length": "4294967296"}),
        "Content-Length 2**64": message(changes={"Content-Length": "18446744073709551617"}),
        "Content-Length -1": message(changes={"Content-Length": "-1"}),
    }
    return found


# limits that RFC 3261 does not name: refusing them is what the row asks for, answering them would be lawful
SHOULD = {
    n
    for n in oversized()
    if any(w in n for w in ("Accept", "URI headers", "folded", "Route", "2000 Require"))
}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_oversized_fields(target: Switch, transport: str) -> None:
    """B1: each gets 4xx, 505 or 513, or is dropped or cut off, never 2xx where it must not; alive."""
    accepted = []
    with Wire(target.address) as probe:
        for name, text in oversized().items():
            with Wire(target.address, transport) as wire:
                text = text.replace("127.0.0.1:9;", f"127.0.0.1:{wire.address[1]};")
                try:
                    wire.send(text.replace("SIP/2.0/UDP", f"SIP/2.0/{transport.upper()}"))
                    answer = wire.receive(0.12)
                except OSError:
                    answer = None  # longer than a datagram can be, or cut off while it was sent
                if answer is not None:
                    assert answer.status in range(200, 500) or answer.status in (505, 513, 501), (
                        name,
                        answer.start,
                    )
                    if answer.status < 300:
                        accepted.append(name)
            assert probe.options() < 1.0, name
    assert not [n for n in accepted if n not in SHOULD]
    assert len(accepted) <= 0.3 * len(SHOULD)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_how_much_is_too_much_is_configured(
    target: Switch, tmp_path_factory: pytest.TempPathFactory, transport: str
) -> None:
    """The same messages, to a switch with its default limits and to one with smaller ones."""
    sip = {"max_headers": 32, "max_header_size": 1024, "max_head_size": 4096}
    said = {}
    with Switch(tmp_path_factory.mktemp("narrow"), users=[], sip=sip) as narrow:
        for switch in (target, narrow):
            for name, extra in {
                "fits": "X-A: b\r\n" * 20 + f"X-B: {'b' * 1000}\r\n",
                "headers": "X-A: b\r\n" * 40,
                "header": f"X-B: {'b' * 1100}\r\n",
                "head": f"X-B: {'b' * 1000}\r\n" * 5,
            }.items():
                with Wire(switch.address, transport) as wire:
                    text = message(extra=extra).replace("127.0.0.1:9;", f"127.0.0.1:{wire.address[1]};")
                    wire.send(text.replace("SIP/2.0/UDP", f"SIP/2.0/{transport.upper()}"))
                    answer = wire.receive(2)
                    said[switch is narrow, name] = answer.status if answer else CLOSED
    sound = said[False, "fits"]
    assert {status for (is_narrow, _), status in said.items() if not is_narrow} == {sound}
    head = CLOSED if transport == "tcp" else sound  # a datagram has its own bound
    assert [said[True, name] for name in ("fits", "headers", "header", "head")] == [sound, 400, 400, head]


def test_the_probe_can_fail() -> None:
    """Nobody listens at a free port: the probe of all these tests then says so."""
    with Wire(("127.0.0.1", 9)) as wire, pytest.raises(SilenceError):
        wire.options(0.2)
    assert challenges(Message.parse(b'SIP/2.0 401 x\r\nWWW-Authenticate: Digest realm="a"\r\n\r\n')) == [
        {"realm": "a"}
    ]
