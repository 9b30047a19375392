"""THREATS C1, C2, C3: open relay, toll fraud, leaked digests, strangers."""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path

import pytest

from ..peers.digest import challenges
from ..peers.harness import PASSWORD, Switch, users
from ..peers.phone import Phone, bridge
from ..peers.raw import Message, Wire, audio, branch, response_to
from .conftest import ALICE, BOB

REFUSED = {401, 403, 404, 405, 407, 416, 420, 480, 481, 488, 489, 501}


# ---- C1

DIALLED = (
    "+882130000",
    "00882130000",
    "011882130000",
    "9011441632960000",
    "+1900555",
    "0900123456",
    "+44*",
    "*72",
    "011",
    "1002;phone-context=+44",
    "1002%40canary",
    "..%2f1002",
    "+",
    "*",
    "#",
    "0" * 200,
    "1002?Route=x",
    "sip",
)


def answer_to(wire: Wire, call_id: str, timeout: float) -> Message | None:
    return wire.take(lambda m: m.get("call-id") == call_id and m.status != 100, timeout)


def spray(wire: Wire, canary: Wire, target: Switch) -> list[tuple[str, int]]:
    """What would reach the canary through an open relay; method and status of each answer."""
    host, port = canary.address
    here = f"127.0.0.1:{target.port}"
    evil = f"sip:victim@{host}:{port}"
    body = audio("127.0.0.1", 40000)
    routes = [
        [("Route", f"<sip:{host}:{port};lr>")],
        [("Route", f"<sip:{here};lr>, <sip:{host}:{port};lr>")],
        [("Route", f"<sip:{host}:{port}>")],
        [("Record-Route", f"<sip:{host}:{port};lr>")],
        [("P-Asserted-Identity", f"<sip:{ALICE}@{here}>")],
        [("Path", f"<sip:{host}:{port};lr>")],
        [],
    ]
    found = []
    for method in (
        "INVITE",
        "BYE",
        "INFO",
        "MESSAGE",
        "REFER",
        "UPDATE",
        "OPTIONS",
        "SUBSCRIBE",
        "NOTIFY",
        "PUBLISH",
        "REGISTER",
        "PRACK",
        "CANCEL",
        "ACK",
        "FOO",
    ):
        for uri in (evil, f"sip:{here}", f"sip:{BOB}@{here};maddr={host}", f"sip:{BOB}@{here};transport=tcp"):
            for to_tag in ("", ";tag=abc"):
                for headers in routes:
                    call_id = branch()
                    extra = [*headers, ("Refer-To", f"<{evil}>")] if method == "REFER" else headers
                    wire.send(
                        wire.request(
                            method,
                            uri,
                            to=f"<{evil}>{to_tag}",
                            headers=extra,
                            call_id=call_id,
                            body=body if method == "INVITE" else b"",
                        )
                    )
                    wire.trace.clear()
                    answer = answer_to(wire, call_id, 0.02 if method in ("ACK", "CANCEL") else 2)
                    if answer is not None:
                        is_own = method == "OPTIONS" and answer.status == 200  # the switch speaks for itself
                        found.append((method, 0 if is_own else answer.status))
                    else:
                        assert method in ("ACK", "CANCEL"), (method, uri, headers)
    return found


def test_a_stranger_reaches_nobody(target: Switch) -> None:
    """C1: the canary hears 0 packets; every request is refused."""
    with Wire(target.address) as wire, Wire(target.address) as canary:
        statuses = spray(wire, canary, target)
        assert {s for _, s in statuses} <= REFUSED | {0}
        assert canary.hears_nothing(0.5)


@pytest.mark.parametrize("number", DIALLED)
def test_a_stranger_dials(target: Switch, number: str) -> None:
    """C1: all dial strings 401, 403, 404 or 407 (400, 414, 416 for what is no URI)."""
    with Wire(target.address) as wire:
        call_id = branch()
        wire.send(
            wire.request(
                "INVITE",
                f"sip:{number}@127.0.0.1:{target.port}",
                call_id=call_id,
                body=audio("127.0.0.1", 40000),
            )
        )
        assert wire.final(2, call_id=call_id).status in {400, 401, 403, 404, 407, 414, 416}


def test_a_user_reaches_only_what_is_routed(target: Switch) -> None:
    """C1: with credentials, but no route: foreign hosts get 403 or 404, the canary hears nothing."""
    with Wire(target.address) as canary, Phone(target.address, ALICE, PASSWORD) as alice:
        host, port = canary.address
        for uri in (
            f"sip:victim@{host}:{port}",
            f"sip:{BOB}@{host}:{port}",
            f"sip:{BOB}@127.0.0.1;maddr={host}:{port}",
            f"sip:+882130000@127.0.0.1:{target.port}",
            f"sips:x@{host}:{port}",
            "tel:+882130000",
        ):
            response, _ = alice.ask(
                "INVITE", uri, body=audio("127.0.0.1", 40000), headers=[("Route", f"<sip:{host}:{port};lr>")]
            )
            assert response.status in {403, 404, 416, 480}, (uri, response.start)
            time.sleep(0.2)  # below the rate that one user may call at
        assert canary.hears_nothing(0.5)


def test_a_dialog_of_others_cannot_be_ended(target: Switch, alice: Phone, bob: Phone) -> None:
    """C1: in-dialog means a dialog we know: right Call-ID with wrong tags is 481, and the call stays."""
    caller, callee = bridge(alice, bob)
    with Wire(target.address, local=("127.0.0.66", 0)) as stranger:
        for call_id in (caller.call_id, callee.call_id):
            for to, from_ in (
                (caller.remote, f"<sip:x@y>;tag={secrets.token_hex(4)}"),
                ("<sip:x@y>;tag=1", caller.local),
            ):
                for method in ("BYE", "INVITE", "UPDATE", "INFO"):
                    stranger.send(
                        stranger.request(method, caller.target, to=to, from_=from_, call_id=call_id, cseq=900)
                    )
                    assert stranger.final(2).status in {481, 400, 401, 403, 407}
    assert [c["caller"] for c in target.calls() if c["caller"] == alice.user] == [alice.user]
    alice.send(caller.request("BYE"))
    callee.answer_bye()


def test_calls_at_once_and_a_second_are_capped(tmp_path: Path) -> None:
    """C1: caps per account: two calls at once, then 486/503; another account is not touched by it."""
    with (
        Switch(
            tmp_path, users=users([ALICE, BOB, 1003]), calls={"max_calls_per_user": 2, "user_rate": 100}
        ) as switch,
        Phone(switch.address, ALICE, PASSWORD) as alice,
        Phone(switch.address, BOB, PASSWORD) as bob,
        Phone(switch.address, "1003", PASSWORD) as other,
    ):
        assert bob.register().status == 200
        first = bridge(alice, bob)
        bridge(alice, bob)
        third = alice.start_call(BOB, audio("127.0.0.1", 40000))
        assert alice.final(method="INVITE", call_id=third.call_id).status in (403, 486, 503)
        bridge(other, bob)
        alice.send(first[0].request("BYE"))
        first[1].answer_bye()
        alice.final(method="BYE")
        bridge(alice, bob)


# ---- C2


@pytest.mark.parametrize("status", [401, 407])
def test_challenges_from_a_telephone_are_not_answered(
    target: Switch, alice: Phone, bob: Phone, status: int
) -> None:
    """C2: the callee answers our BYE and INVITE with a challenge: no Authorization leaves the switch."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    challenge = [(name, 'Digest realm="trunk", nonce="abc", algorithm=MD5, qop="auth"')]
    dialog = alice.start_call(bob.user, audio("127.0.0.1", 40000))
    invite = bob.expect("INVITE")
    bob.send(response_to(invite, status, "Prove It", tag="t", headers=challenge))
    refused = alice.final(method="INVITE", call_id=dialog.call_id)
    assert refused.status >= 400
    assert not challenges(refused)  # nor is it passed on, so that the caller would answer it
    bob.expect("ACK")
    caller, callee = bridge(alice, bob)
    alice.send(caller.request("BYE"))
    bye = callee.wait_for("BYE")
    bob.send(response_to(bye, status, "Prove It", headers=challenge))
    assert bob.take(lambda m: not m.is_response, 1.0) is None
    assert not [
        t for t in bob.trace if "> " not in t[:20] and re.search(r"(?i)^(proxy-)?authorization:", t, re.M)
    ]
    assert alice.user not in [c["caller"] for c in target.calls()]


# ---- C3


@pytest.mark.parametrize(
    "method",
    [
        "MESSAGE",
        "SUBSCRIBE",
        "PUBLISH",
        "NOTIFY",
        "INFO",
        "REFER",
        "UPDATE",
        "REGISTER",
        "INVITE",
        "PRACK",
        "BYE",
    ],
)
def test_everything_but_options_needs_credentials(target: Switch, bob: Phone, method: str) -> None:
    """C3: no out-of-dialog request of a stranger is carried out or passed on; OPTIONS to the switch is."""
    with Wire(target.address) as wire:
        for uri in (f"sip:{bob.user}@127.0.0.1:{target.port}", f"sip:127.0.0.1:{target.port}"):
            wire.send(
                wire.request(
                    method,
                    uri,
                    from_=f"<sip:{ALICE}@127.0.0.1>;tag=1",
                    headers=[("Event", "presence"), ("Refer-To", "<sip:x@y>")],
                )
            )
            assert wire.final(2).status in REFUSED
        assert bob.hears_nothing(0.1)
        assert wire.options() < 1.0
