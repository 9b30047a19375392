"""THREATS C6: replayed, borrowed and outdated proofs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..peers.digest import credentials
from ..peers.harness import PASSWORD, Switch, users
from ..peers.phone import Phone
from ..peers.raw import Message, branch
from .conftest import ALICE

REFUSED = {401, 403, 404, 405, 407, 416, 420, 480, 481, 488, 489, 501}


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
        data = self.request(
            method,
            uri,
            to=self.identity,
            from_=f"{self.identity};tag=1",
            call_id=call_id,
            headers=headers,
            cseq=int(time.monotonic() * 1000) % 2**31,
        )
        self.send(data)
        return self.final(3, call_id=call_id), proof

    def proof(self, challenge: dict[str, str], method: str = "REGISTER", **more: Any) -> str:
        return credentials(
            challenge, method, more.pop("uri", f"sip:{self.domain}"), self.user, self.password, **more
        )


@pytest.fixture
def prover(target: Switch) -> Iterator[Prover]:
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


def test_an_old_nonce_is_stale(tmp_path: Path) -> None:
    """C6: after its lifetime (10 s here, 300 by default) the right proof gets stale=true, then 200."""
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
