"""THREATS B8, C2, C9, C11: frames that lie, challenges of trunks, loops, and where media may not go."""

from __future__ import annotations

import base64
import os
import socket
import struct
import time
from pathlib import Path

import pytest

from ..peers.answerer import Answerer
from ..peers.harness import PASSWORD, Switch, user, users
from ..peers.phone import Phone
from ..peers.ports import free_port
from ..peers.raw import Message, Wire, audio, response_to
from .conftest import ALICE, BOB


def test_a_frame_of_2_to_the_63_octets(tmp_path: Path) -> None:
    """B8: a WebSocket frame that announces 2^63 - 1 octets: closed < 1 s, nothing is kept for it."""
    port = free_port()
    with Switch(tmp_path, users=users([ALICE])) as plain:
        udp = plain.config["sip"]["listen"]
        plain.stop()
        switch = Switch(tmp_path / "ws", users=users([ALICE]), sip={"listen": [*udp, f"ws:127.0.0.1:{port}"]})
        switch.port, switch.address = plain.port, plain.address
        with switch:
            before = switch.rss_bytes()
            for _ in range(20):
                with socket.create_connection(("127.0.0.1", port), 2) as wire:
                    nonce = base64.b64encode(os.urandom(16)).decode()
                    wire.sendall(
                        f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        f"Sec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\n"
                        f"Sec-WebSocket-Protocol: sip\r\n\r\n".encode()
                    )
                    assert b" 101 " in wire.recv(4096)
                    began = time.monotonic()
                    wire.sendall(b"\x81\xff" + struct.pack("!Q", 2**63 - 1) + b"\0\0\0\0" + b"x" * 1000)
                    wire.settimeout(2)
                    try:
                        while wire.recv(4096):
                            pass
                    except ConnectionResetError:
                        pass
                    assert time.monotonic() - began < 1
            assert switch.rss_bytes() - before < 4 << 20
            with Wire(switch.address) as probe:
                assert probe.options() < 0.5


@pytest.mark.parametrize(
    ("trunk", "realm", "is_answered"),
    [
        ({}, "carrier", False),
        ({"username": "us", "password": "secret-77", "realm": "carrier"}, "elsewhere", False),
        ({"username": "us", "password": "secret-77", "realm": "carrier"}, "carrier", True),
    ],
    ids=["no password", "another realm", "its realm"],
)
def test_a_trunk_challenges_our_bye(
    tmp_path: Path, trunk: dict[str, str], realm: str, is_answered: bool
) -> None:
    """C2: credentials go to the trunk that they are for, in its realm, and nowhere else."""
    challenge = [("WWW-Authenticate", f'Digest realm="{realm}", nonce="abc", algorithm=MD5, qop="auth"')]
    with Phone(("127.0.0.1", 9), "carrier") as carrier:
        out = {
            "name": "out",
            "address": f"sip:127.0.0.1:{carrier.address[1]}",
            "options_interval": 0,
            **trunk,
        }
        with (
            Switch(
                tmp_path, users=users([ALICE]), trunks=[out], routes=[{"match": "7*", "to": "trunk:out"}]
            ) as switch,
            Phone(switch.address, ALICE, PASSWORD) as alice,
        ):
            carrier.server = switch.address
            dialog = alice.start_call("700", audio("127.0.0.1", 40000))
            callee = carrier.incoming()
            assert isinstance(callee.invite, Message)
            callee.respond(callee.invite, 200, "OK", audio("127.0.0.1", 40002))
            alice.answered(dialog)
            callee.wait_for("ACK")
            alice.send(dialog.request("BYE"))
            bye = callee.wait_for("BYE")
            assert not bye.all("authorization")
            carrier.send(response_to(bye, 401, "Prove It", headers=challenge))
            again = carrier.take(lambda m: m.start.startswith("BYE") and m.cseq != bye.cseq, 1.0)
            assert (again is not None) == is_answered
            if again is not None:
                assert 'username="us"' in again.get("authorization")
                assert "secret-77" not in "".join(carrier.trace)
                carrier.send(response_to(again, 200))


def test_two_that_forward_to_each_other(tmp_path: Path) -> None:
    """C9: A forwards to B, B to A: one INVITE: <= 25 messages, over in 2 s, no leg left."""
    both = [
        user(ALICE, forward_always=f"user:{BOB}"),
        user(BOB, forward_always=f"user:{ALICE}"),
        user("1003"),
    ]
    with Switch(tmp_path, users=both) as switch, Phone(switch.address, "1003", PASSWORD) as caller:
        began = time.monotonic()
        response, _ = caller.ask("INVITE", f"sip:{ALICE}@{caller.domain}", body=audio("127.0.0.1", 40000))
        assert time.monotonic() - began < 2
        assert response.status in (480, 482, 483)
        assert len(caller.trace) <= 25
        assert switch.status()["calls"] == 0
        assert switch.ask("objects")["legs"] == 0


def test_a_trunk_that_sends_calls_back(tmp_path: Path) -> None:
    """C9: the trunk is the switch itself: Max-Forwards or our own Via ends it, <= 25 messages, < 2 s."""
    switch = Switch(tmp_path, users=users([ALICE]))
    switch.config["trunks"] = [
        {
            "name": "mirror",
            "address": f"sip:127.0.0.1:{switch.port}",
            "sources": ["127.0.0.9/32", "127.0.0.1/32"],
            "options_interval": 0,
        }
    ]
    switch.config["routes"] = [{"match": "7*", "to": "trunk:mirror"}]
    with switch, Phone(switch.address, ALICE, PASSWORD, local=("127.0.0.5", 0)) as alice:
        before = switch.metric_sum("switchroom_net_datagrams_total")
        began = time.monotonic()
        dialog = alice.start_call("700", audio("127.0.0.5", 40000))
        answer = alice.final(5, method="INVITE", call_id=dialog.call_id)
        assert time.monotonic() - began < 2
        assert answer.status in (480, 482, 483, 502, 503)
        assert switch.metric_sum("switchroom_net_datagrams_total") - before <= 2 * 25
        assert switch.status()["calls"] == 0


@pytest.mark.parametrize("breadth", ["0", "nonsense"])
def test_no_breadth_is_left(target: Switch, alice: Phone, breadth: str) -> None:
    """C9, RFC 5393 §5.3.3: Max-Breadth 0 gets 440, and what is no number 400."""
    response, _ = alice.ask(
        "INVITE",
        f"sip:{BOB}@{alice.domain}",
        body=audio("127.0.0.1", 40000),
        headers=[("Max-Breadth", breadth)],
    )
    assert response.status == (440 if breadth == "0" else 400)


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255"]
)
def test_a_description_that_names_what_is_not_the_phone_s(tmp_path: Path, address: str) -> None:
    """C11: whatever the offer names, the call neither fails the switch nor sends a stranger a packet."""
    with (
        Answerer() as carrier,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as canary,
        Switch(
            tmp_path,
            users=users([ALICE]),
            trunks=[{"name": "out", "address": f"sip:127.0.0.1:{carrier.address[1]}"}],
            routes=[{"match": "7*", "to": "trunk:out"}],
        ) as switch,
        Phone(switch.address, ALICE, PASSWORD) as alice,
    ):
        canary.bind(("127.0.0.99", 0))
        canary.settimeout(0.5)
        response, _ = alice.ask(
            "INVITE", f"sip:700@{alice.domain}", body=audio(address, canary.getsockname()[1])
        )
        assert response.status in (200, 400, 403, 488)
        with pytest.raises(TimeoutError):
            canary.recv(100)
        assert alice.options() < 0.5
