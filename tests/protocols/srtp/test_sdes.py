"""The lines a=crypto; RFC 4568."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols.srtp import SUITES, Crypto, parse_crypto, read_cryptos

CM = "AES_CM_128_HMAC_SHA1_80"
KEY = b64encode(bytes(range(30))).decode()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"1 {CM} inline:{KEY}", Crypto(1, CM, bytes(range(30)))),
        (f"999999999  {CM}  inline:{KEY} ", Crypto(999999999, CM, bytes(range(30)))),
        (f"1 {CM} inline:{KEY}|2^20", Crypto(1, CM, bytes(range(30)))),
        (f"1 {CM} inline:{KEY}|1048576", Crypto(1, CM, bytes(range(30)))),
        (f"1 {CM} inline:{KEY}|2^20|1:4", Crypto(1, CM, bytes(range(30)), b"\0\0\0\1")),
        (f"1 {CM} inline:{KEY}|1:32", Crypto(1, CM, bytes(range(30)), bytes(31) + b"\1")),
        (f"1 {CM} inline:{KEY} WSH=64 KDR=0 -new=1", Crypto(1, CM, bytes(range(30)))),
        (
            "7 AEAD_AES_256_GCM inline:" + b64encode(bytes(44)).decode(),
            Crypto(7, "AEAD_AES_256_GCM", bytes(44)),
        ),
        # 46 octets have padding, which some leave out
        (
            "7 AES_256_CM_HMAC_SHA1_80 inline:" + b64encode(bytes(46)).decode().rstrip("="),
            Crypto(7, "AES_256_CM_HMAC_SHA1_80", bytes(46)),
        ),
    ],
)
def test_reads(line: str, expected: Crypto) -> None:
    assert parse_crypto(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"0 {CM} inline:{KEY}",
        f"01 {CM} inline:{KEY}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 {CM} inline:{KEY[:-4]}",
        f"1 {CM} inline:{KEY}AAAA",
        f"1 {CM} inline:{KEY[:-1]}*",
        f"1 {CM} inline:{KEY[:-3]}",  # no base64 at all
        f"1 {CM} inline:{KEY};inline:{KEY}|2:1",  # several keys
        f"1 {CM} inline:{KEY}|soon",
        f"1 {CM} inline:{KEY}|2^20|1:4|1:4",
        f"1 {CM} inline:{KEY}|1:0",
        f"1 {CM} inline:{KEY}|1:129",
        f"1 {CM} inline:{KEY}|256:1",
        f"1 {CM} inline:{KEY} UNENCRYPTED_SRTP",
        f"1 {CM} inline:{KEY} UNENCRYPTED_SRTCP",
        f"1 {CM} inline:{KEY} UNAUTHENTICATED_SRTP",
        f"1 {CM} inline:{KEY} KDR=1",
        f"1 {CM} inline:{KEY} FEC_ORDER=FEC_SRTP",
        f"1 {CM} inline:{KEY} WSH=64 new=1",
        f"1 {CM} inline:{KEY}" + " -x" * 9,
        f"1 {CM} inline:" + "A" * 600,
    ],
)
def test_what_is_malformed_or_weak_is_as_good_as_none(line: str) -> None:
    assert parse_crypto(line) is None
    assert read_cryptos([line, f"2 {CM} inline:{KEY}"]) == (Crypto(2, CM, bytes(range(30))),)


def test_the_first_of_two_with_one_tag_counts() -> None:
    lines = [f"1 {CM} inline:{KEY}", "1 AEAD_AES_128_GCM inline:" + b64encode(bytes(28)).decode()]
    assert [one.suite for one in read_cryptos(lines)] == [CM]


def test_lines_are_limited() -> None:
    assert len(read_cryptos([f"{i} {CM} inline:{KEY}" for i in range(1, 1000)])) == 16


CRYPTOS = st.sampled_from(sorted(SUITES)).flatmap(
    lambda name: st.builds(
        Crypto,
        st.integers(1, 999_999_999),
        st.just(name),
        st.binary(min_size=SUITES[name].master_size, max_size=SUITES[name].master_size),
        st.binary(max_size=128),
    )
)


@given(CRYPTOS)
def test_round_trips(crypto: Crypto) -> None:
    assert parse_crypto(str(crypto)) == crypto
    assert crypto.master.hex() not in repr(crypto)


@given(st.text(max_size=200) | st.from_regex(r"1 [A-Z0-9_]{1,30} inline:[!-~]{20,60}( [!-~]{1,20}){0,3}"))
def test_whatever_is_read_can_be_written(line: str) -> None:
    crypto = parse_crypto(line)
    assert crypto is None or parse_crypto(str(crypto)) == crypto
