"""Responses and seals against what they are made of (RFC 7616 §3.4.1, 7693)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols.sip import hashing

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def expected(of, a1, method, uri, nonce, *counted):
    """The response, put together as RFC 7616 §3.4.1 writes it."""
    a2 = of(f"{method}:{uri}".encode()).hexdigest()
    return of(":".join([a1, nonce, *counted, a2]).encode()).hexdigest()


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_responses_of_any_text(a1, method, uri, nonce):
    assert hashing.compute_response(a1, method, uri, nonce) == expected(hashlib.md5, a1, method, uri, nonce)
    found = hashing.compute_response(a1, method, uri, nonce, "SHA-256", "auth", "0000000f", "c")
    assert found == expected(hashlib.sha256, a1, method, uri, nonce, "0000000f", "c", "auth")


def test_only_known_algorithms():
    with pytest.raises(KeyError):
        hashing.compute_response("a1", "REGISTER", "sip:b", "n", "MD5-sess")
    with pytest.raises(UnicodeEncodeError):
        hashing.compute_response("a1", "REGISTER", "sip:\ud800", "n")


@given(st.binary(max_size=100), TEXTS)
def test_seals_of_any_text(secret, text):
    key = hashlib.blake2s(secret).digest()
    expected = hashlib.blake2s(text.encode(), key=key, digest_size=8).hexdigest()
    assert hashing.Sealer(secret, 8).seal(text) == expected


def test_what_was_no_utf_8_is_sealed_as_the_octets_that_it_was():
    sealer = hashing.Sealer(b"secret", 8)
    assert sealer.seal("\udcff") != sealer.seal("\udcfe") != sealer.seal("")


@pytest.mark.parametrize("size", [0, 33, -1])
def test_a_seal_has_at_most_32_octets(size):
    with pytest.raises(ValueError, match="32"):
        hashing.Sealer(b"secret", size)
