"""THREATS C1, C2, C3, C4, C6: open relay, leaked digests, strangers, telling users apart, replay."""

from __future__ import annotations

import re
import secrets
import statistics
import time

import pytest

from ..peers.harness import PASSWORD, Switch, users
from ..peers.phone import Phone, bridge
from ..peers.raw import Message, Wire, audio, branch, challenges, credentials, response_to
from .conftest import ALICE, BOB, size

REFUSED = {401, 403, 404, 405, 407, 416, 420, 480, 481, 488, 489, 501}


# ---- C1

DIALLED = (
    "+882130000", "00882130000", "011882130000", "9011441632960000", "+1900555", "0900123456", "+44*", "*72", "011",
    "1002;phone-context=+44", "1002%40canary", "..%2f1002", "+", "*", "#", "0" * 200, "1002?Route=x", "sip",
)  # fmt: skip


def spray(wire: Wire, canary: Wire, target: Switch) -> list[tuple[str, int]]:
    """Requests of a stranger that would reach the canary through an open relay; method and status of the answers."""
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
    for method in ("INVITE", "BYE", "INFO", "MESSAGE", "REFER", "UPDATE", "OPTIONS", "SUBSCRIBE", "NOTIFY", "PUBLISH",
                   "REGISTER", "PRACK", "CANCEL", "ACK", "FOO"):  # fmt: skip
        for uri in (evil, f"sip:{here}", f"sip:{BOB}@{here};maddr={host}", f"sip:{BOB}@{here};transport=tcp"):
            for to_tag in ("", ";tag=abc"):
                for headers in routes:
                    call_id = branch()
                    extra = [*headers, ("Refer-To", f"<{evil}>")] if method == "REFER" else headers
                    wire.send(wire.request(method, uri, to=f"<{evil}>{to_tag}", headers=extra, call_id=call_id,
                                           body=body if method == "INVITE" else b""))  # fmt: skip
                    wire.trace.clear()
                    answer = wire.take(lambda m, c=call_id: m.get("call-id") == c and m.status != 100,
                                       0.02 if method in ("ACK", "CANCEL") else 2)  # fmt: skip
                    if answer is not None:
                        is_own = method == "OPTIONS" and answer.status == 200 and uri == f"sip:{here}"
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
        wire.send(wire.request("INVITE", f"sip:{number}@127.0.0.1:{target.port}", call_id=call_id,
                               body=audio("127.0.0.1", 40000)))  # fmt: skip
        assert wire.final(2, call_id=call_id).status in {400, 401, 403, 404, 407, 414, 416}


def test_a_user_reaches_only_what_is_routed(target: Switch) -> None:
    """C1: with credentials, but no route: foreign hosts and dial strings get 403 or 404, the canary hears nothing."""
    with Wire(target.address) as canary, Phone(target.address, ALICE, PASSWORD) as alice:
        host, port = canary.address
        for uri in (f"sip:victim@{host}:{port}", f"sip:{BOB}@{host}:{port}", f"sip:{BOB}@127.0.0.1;maddr={host}:{port}",
                    f"sip:+882130000@127.0.0.1:{target.port}", f"sips:x@{host}:{port}", "tel:+882130000"):  # fmt: skip
            response, _ = alice.ask("INVITE", uri, body=audio("127.0.0.1", 40000),
                                    headers=[("Route", f"<sip:{host}:{port};lr>")])  # fmt: skip
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
    assert len(target.calls()) == 1
    alice.send(caller.request("BYE"))
    callee.answer_bye()


def test_calls_at_once_and_a_second_are_capped(tmp_path) -> None:
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
    dialog = alice.start_call(BOB, audio("127.0.0.1", 40000))
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
    assert target.calls() == []


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
        for uri in (f"sip:{BOB}@127.0.0.1:{target.port}", f"sip:127.0.0.1:{target.port}"):
            wire.send(wire.request(method, uri, from_=f"<sip:{ALICE}@127.0.0.1>;tag=1",
                                   headers=[("Event", "presence"), ("Refer-To", "<sip:x@y>")]))  # fmt: skip
            assert wire.final(2).status in REFUSED
        assert bob.hears_nothing(0.1)
        assert wire.options() < 1.0


# ---- C4


def shape(response: Message) -> tuple[int, str, tuple[str, ...], tuple[str, ...]]:
    """What an answer shows: status, reason, names of the headers in order, and its challenges without the nonces."""
    reason = response.start.split(" ", 2)[2]
    told = tuple(
        re.sub(r'nonce="[^"]*"', "", str(c.get("realm")) + str(sorted(c))) for c in challenges(response)
    )
    return response.status, reason, tuple(n for n, _ in response.headers), told


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH"])
@pytest.mark.parametrize("has_proof", [False, True], ids=["without credentials", "with wrong credentials"])
def test_a_known_user_looks_like_an_unknown_one(
    target: Switch, bob: Phone, method: str, has_proof: bool
) -> None:
    """C4: same status, reason, header shape and realm, and the same median time, for both."""
    with Phone(target.address, "x", "y") as wire:
        times: dict[str, list[float]] = {"1002": [], "7777": []}
        shapes = {}
        for _ in range(size(60, 400)):
            for name in times:
                uri = f"sip:{name}@127.0.0.1:{target.port}"
                headers = []
                if has_proof:
                    wire.send(wire.request(method, uri, to=f"<{uri}>", from_=f"<{uri}>;tag=1"))
                    first = wire.final(2)
                    if first.status in (401, 407):
                        header = "Authorization" if first.status == 401 else "Proxy-Authorization"
                        proof = credentials(wire.challenge_in(first), method, uri, name, "wrong")
                        headers = [(header, proof)]
                call_id = branch()
                data = wire.request(
                    method, uri, to=f"<{uri}>", from_=f"<{uri}>;tag=1", headers=headers, call_id=call_id
                )
                began = time.perf_counter()
                wire.send(data)
                answer = wire.final(2, call_id=call_id)
                times[name].append(time.perf_counter() - began)
                shapes.setdefault(name, shape(answer))
                wire.trace.clear()
        assert shapes["1002"] == shapes["7777"]
        assert shapes["1002"][0] in REFUSED | {200}
        known, unknown = (statistics.median(t) for t in times.values())
        assert abs(known - unknown) < max(0.15 * max(known, unknown), 60e-6)


def test_a_foreign_from_learns_nothing(target: Switch, bob: Phone) -> None:
    """C4: an INVITE from a foreign address of record to a known and an unknown user: the same answer."""
    with Wire(target.address) as wire:
        shapes = []
        for name in (BOB, "7777"):
            wire.send(wire.request("INVITE", f"sip:{name}@127.0.0.1:{target.port}", from_="<sip:x@example.org>;tag=1",
                                   body=audio("127.0.0.1", 40000)))  # fmt: skip
            shapes.append(shape(wire.final(2)))
        assert shapes[0] == shapes[1]
        assert shapes[0][0] in (401, 403, 407)
        assert bob.hears_nothing(0.2)


# ---- C6


class Prover(Phone):
    """A telephone that makes each part of the proof itself."""

    def challenge(self, method: str = "REGISTER") -> dict[str, str]:
        response, _ = self.attempt(method, "")
        assert response.status in (401, 407)
        return self.challenge_in(response)

    def attempt(self, method: str, proof: str, uri: str = "") -> tuple[Message, str]:
        call_id = branch()
        uri = uri or f"sip:{self.domain}"
        headers = [("Authorization", proof)] if proof else []
        data = self.request(method, uri, to=self.identity, from_=f"{self.identity};tag=1", call_id=call_id, headers=headers,
                            cseq=int(time.monotonic() * 1000) % 2**31)  # fmt: skip
        self.send(data)
        return self.final(3, call_id=call_id), proof

    def proof(self, challenge: dict[str, str], method: str = "REGISTER", **more) -> str:
        return credentials(
            challenge, method, more.pop("uri", f"sip:{self.domain}"), self.user, self.password, **more
        )


@pytest.fixture
def prover(target: Switch):
    with Prover(target.address, ALICE, PASSWORD) as phone:
        yield phone


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_both_algorithms_are_offered_with_qop(prover: Prover, algorithm: str) -> None:
    """C6, RFC 8760: SHA-256 beside MD5, each with qop=auth and a nonce; both register."""
    prover.algorithm = algorithm
    challenge = prover.challenge()
    assert challenge["qop"] == "auth"
    assert len(challenge["nonce"]) >= 16
    assert prover.attempt("REGISTER", prover.proof(challenge))[0].status == 200


def test_a_replay_is_refused(prover: Prover) -> None:
    """C6: the same proof again, an older nonce count: refused; the next count: accepted."""
    challenge = prover.challenge()
    proof = prover.proof(challenge, nc=1)
    assert prover.attempt("REGISTER", proof)[0].status == 200
    assert prover.attempt("REGISTER", proof)[0].status in (401, 407)
    assert prover.attempt("REGISTER", prover.proof(challenge, nc=5))[0].status == 200
    assert prover.attempt("REGISTER", prover.proof(challenge, nc=3))[0].status in (401, 407)
    assert prover.attempt("REGISTER", prover.proof(challenge, nc=6))[0].status == 200


def test_a_proof_for_another_uri_or_method_is_refused(prover: Prover) -> None:
    """C6: the digest's URI must be the request's; the proof of a REGISTER is none for another method."""
    challenge = prover.challenge()
    foreign = prover.proof(challenge, uri="sip:elsewhere.example")
    assert prover.attempt("REGISTER", foreign)[0].status in (400, 401, 403, 407)
    challenge = prover.challenge()
    other_method = prover.proof(challenge, method="INVITE")
    assert prover.attempt("REGISTER", other_method)[0].status in (401, 403, 407)


def test_a_nonce_belongs_to_its_source(target: Switch, prover: Prover) -> None:
    """C6: a nonce that was given to one address is a new challenge for another."""
    challenge = prover.challenge()
    with Prover(target.address, ALICE, PASSWORD, local=("127.0.0.77", 0)) as elsewhere:
        assert elsewhere.attempt("REGISTER", elsewhere.proof(challenge))[0].status in (401, 407)
        assert elsewhere.attempt("REGISTER", elsewhere.proof(elsewhere.challenge()))[0].status == 200


def test_a_made_up_nonce_is_refused(prover: Prover) -> None:
    """C6: nonces are the switch's own: a changed and an invented one get a challenge."""
    challenge = prover.challenge()
    nonce = challenge["nonce"]
    for forged in (nonce[:-2] + ("AA" if nonce[-2:] != "AA" else "BB"), nonce + "x", nonce[1:], "0", ""):
        assert prover.attempt("REGISTER", prover.proof({**challenge, "nonce": forged}))[0].status in (
            400,
            401,
            407,
        )


def test_an_old_nonce_is_stale(tmp_path) -> None:
    """C6: after its lifetime (10 s here, 300 by default) the right proof gets stale=true, and the next one registers."""
    with (
        Switch(tmp_path, users=users([ALICE]), auth={"nonce_lifetime": 10}) as switch,
        Prover(switch.address, ALICE, PASSWORD) as phone,
    ):
        challenge = phone.challenge()
        assert phone.take(lambda m: True, 10.5) is None
        answer, _ = phone.attempt("REGISTER", phone.proof(challenge))
        assert answer.status == 401
        again = phone.challenge_in(answer)
        assert again["stale"].lower() == "true"
        assert phone.attempt("REGISTER", phone.proof(again))[0].status == 200
