"""Hashes and seals in both their forms against what Python's own library says (RFC 1321, 6234, 7693)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ... import twins

SIZES = (0, 1, 54, 55, 56, 63, 64, 65, 118, 119, 120, 127, 128, 129, 1000)  # around the ends of blocks
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@pytest.fixture(params=twins.VARIANTS, scope="module")
def hashing(request):
    """The module with its compiled part, and without."""
    module = twins.load("switchroom.protocols.sip.hashing", "_hashing", request.param)
    assert module.Sealer.__module__.endswith("._hashing") == (request.param == "compiled")
    return module


def expected(of, a1, method, uri, nonce, *counted):
    """The response, put together as RFC 7616 §3.4.1 writes it."""
    a2 = of(f"{method}:{uri}".encode()).hexdigest()
    return of(":".join([a1, nonce, *counted, a2]).encode()).hexdigest()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_responses_of_all_sizes(hashing, algorithm, size):
    of = hashlib.md5 if algorithm == "MD5" else hashlib.sha256
    text = "x" * size
    said = "a" * 32, "REGISTER", text, text[::-1]
    assert hashing.compute_response(*said, algorithm) == expected(of, *said)
    found = hashing.compute_response(*said, algorithm, "auth", "00000001", text)
    assert found == expected(of, *said, "00000001", text, "auth")


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_responses_of_any_text(hashing, a1, method, uri, nonce):
    assert hashing.compute_response(a1, method, uri, nonce) == expected(hashlib.md5, a1, method, uri, nonce)
    found = hashing.compute_response(a1, method, uri, nonce, "SHA-256", "auth", "0000000f", "c")
    assert found == expected(hashlib.sha256, a1, method, uri, nonce, "0000000f", "c", "auth")


def test_only_known_algorithms(hashing):
    with pytest.raises(KeyError):
        hashing.compute_response("a1", "REGISTER", "sip:b", "n", "MD5-sess")
    with pytest.raises(UnicodeEncodeError):
        hashing.compute_response("a1", "REGISTER", "sip:\ud800", "n")


@pytest.mark.parametrize("size", SIZES)
def test_seals_of_all_sizes(hashing, size):
    key = hashlib.blake2s(b"secret").digest()
    for digest_size in (1, 8, 10, 32):
        found = hashing.Sealer(b"secret", digest_size).seal("y" * size)
        assert found == hashlib.blake2s(b"y" * size, key=key, digest_size=digest_size).hexdigest()


@given(st.binary(max_size=100), TEXTS)
def test_seals_of_any_text(hashing, secret, text):
    key = hashlib.blake2s(secret).digest()
    expected = hashlib.blake2s(text.encode(), key=key, digest_size=8).hexdigest()
    assert hashing.Sealer(secret, 8).seal(text) == expected


def test_what_was_no_utf_8_is_sealed_as_the_octets_that_it_was(hashing):
    sealer = hashing.Sealer(b"secret", 8)
    assert sealer.seal("\udcff") != sealer.seal("\udcfe") != sealer.seal("")


@pytest.mark.parametrize("size", [0, 33, -1])
def test_a_seal_has_at_most_32_octets(hashing, size):
    with pytest.raises(ValueError, match="32"):
        hashing.Sealer(b"secret", size)
