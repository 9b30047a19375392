"""What the log shows of SIP messages: no proof of identity."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.switch.ops.mask import mask

HEAD = "REGISTER sip:switch.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7\r\n"
SECRET = "6629fae49393a05397450978507c4ef1"
DIGEST = f'Digest username="1001", realm="switchroom", nonce="n", uri="sip:s", response="{SECRET}"'


@pytest.mark.parametrize(
    "header",
    [
        f"Authorization: {DIGEST}",
        f"authorization :\t{DIGEST}",
        f"Proxy-Authorization: {DIGEST}",
        f"PROXY-AUTHORIZATION:{DIGEST.replace(', ', chr(13) + chr(10) + '  ')}",
        f"Authorization: {DIGEST.replace('response=', chr(13) + chr(10) + chr(9) + 'response = ')}",
        f"Authorization: Basic {SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"Authorization: Digest response={SECRET}",
        f'Authorization: Digest username="a\\"b", response="{SECRET}',
        f"Authorisation: {DIGEST}",
        f"X-Old: {DIGEST}",
        f'Authentication-Info: rspauth="{SECRET}", cnonce="{SECRET}"',
        f"From: <sip:1001:{SECRET}@switch.example>;tag=1",
        f"Contact: sips:1001:{SECRET}@192.0.2.7",
    ],
)
def test_secrets_are_taken_out(header: str) -> None:
    for end in ("\r\n", "\n"):
        shown = mask(f"{HEAD}{header}\r\nCall-ID: c@d\r\n\r\n".replace("\r\n", end).encode())
        assert SECRET not in shown
        assert "Call-ID: c@d" in shown
        assert shown.startswith("REGISTER sip:switch.example SIP/2.0")


def test_who_it_was_stays() -> None:
    shown = mask(f"{HEAD}Authorization: {DIGEST}\r\n\r\n".encode())
    assert 'Authorization: Digest username="1001", ***' in shown


@pytest.mark.parametrize(
    "line",
    [
        f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{SECRET}|2^20|1:4",
        f"a=ice-pwd:{SECRET}",
        f"k=clear:{SECRET}",
        f"k=base64:{SECRET}",
    ],
)
def test_keys_in_a_body_are_taken_out(line: str) -> None:
    shown = mask(f"{HEAD}\r\nv=0\r\n{line}\r\nm=audio 4000 RTP/SAVP 0\r\n".encode())
    assert SECRET not in shown
    assert "m=audio 4000 RTP/SAVP 0" in shown
    assert line.split(":")[0] in shown


def test_a_message_without_secrets_is_shown_as_it_is() -> None:
    message = f'{HEAD}From: "Ä" <sip:1001@switch.example:5060>\r\nContact: <sip:1001@[::1]:5060;a=b>\r\n\r\n'
    assert mask(message.encode()) == message


def test_octets_that_are_no_text_are_shown_as_such() -> None:
    assert mask(b"\xff\x00") == "\\xff\x00"


def test_a_long_message_is_cut() -> None:
    assert mask(b"x" * 60_000).endswith("… (60000 octets)")
    assert len(mask(b"x" * 60_000)) < 9000


@pytest.mark.parametrize(
    "piece",
    [
        b"sip:",
        b"sip:a:",
        b"response=",
        b"response ",
        b"Authorization: \r\n ",
        b"a=crypto:",
        b"\r",
        b'username="',
    ],
)
def test_no_message_takes_long(piece: bytes) -> None:
    began = time.thread_time()
    mask(piece * (65536 // len(piece)))
    mask(b"INVITE sip:a SIP/2.0\r\nAuthorization: " + piece * (65536 // len(piece)))
    assert time.thread_time() - began < 0.2


@given(st.binary(max_size=500))
def test_any_octets_can_be_shown(data: bytes) -> None:
    assert isinstance(mask(data), str)
