"""THREATS C4: users cannot be told from numbers that nobody has."""

from __future__ import annotations

import itertools
import operator
import re
import statistics
import time

import pytest

from ..peers.digest import challenges, credentials
from ..peers.harness import Switch
from ..peers.phone import Phone
from ..peers.raw import Message, Wire, audio, branch
from .conftest import size

REFUSED = {401, 403, 404, 405, 407, 416, 420, 480, 481, 488, 489, 501}

_sources = (f"127.0.11.{n}" for n in itertools.count(1))  # so many wrong proofs from one are too many


def shape(response: Message) -> tuple[int, str, tuple[str, ...], tuple[str, ...]]:
    """What an answer shows: status, reason, header names in order, challenges without their nonces."""
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
    for _ in range(3):
        times = times_of(target, bob, method, has_proof)
        # taken in turns: the median of the differences forgets what else the machine did meanwhile
        difference = abs(statistics.median(map(operator.sub, *times)))
        limit = max(0.15 * statistics.median(times[0]), 40e-6)
        if difference < limit:
            return
    raise AssertionError(f"three times the two differed, at last by {difference:.6f} s of {limit:.6f} s")


def times_of(target: Switch, bob: Phone, method: str, has_proof: bool) -> list[list[float]]:
    """How long answers take for a user and for a number that nobody has; they look alike."""
    with Phone(target.address, "x", "y", local=(next(_sources), 0)) as wire:
        times: dict[str, list[float]] = {bob.user: [], "7777": []}
        shapes: dict[str, tuple[object, ...]] = {}
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
                answer = wire.final(5, call_id=call_id)
                times[name].append(time.perf_counter() - began)
                shapes.setdefault(name, shape(answer))
                wire.trace.clear()
        assert shapes[bob.user] == shapes["7777"]
        assert shapes[bob.user][0] in REFUSED | {200}
        return list(times.values())


def test_a_foreign_from_learns_nothing(target: Switch, bob: Phone) -> None:
    """C4: an INVITE from a foreign address of record to a known and an unknown user: the same answer."""
    with Wire(target.address) as wire:
        shapes = []
        for name in (bob.user, "7777"):
            wire.send(
                wire.request(
                    "INVITE",
                    f"sip:{name}@127.0.0.1:{target.port}",
                    from_="<sip:x@example.org>;tag=1",
                    body=audio("127.0.0.1", 40000),
                )
            )
            shapes.append(shape(wire.final(2)))
        assert shapes[0] == shapes[1]
        assert shapes[0][0] in (401, 403, 407)
        assert bob.hears_nothing(0.2)
