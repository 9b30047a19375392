"""A code by telephone: a raw phone is called, presses a key, and hears somebody speak."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from twilio.rest import Client

from switchroom.codecs import find
from switchroom.switch.twilio import HttpClient

from .harness import PASSWORD, Switch, user
from .phone import Phone
from .ports import free_port
from .test_api import OURS, SID, THEIRS, TOKEN
from .test_voice import Talker


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Switch, Client, Talker]]:
    rest = free_port()
    api = {
        "rest": [f"http:127.0.0.1:{rest}"],
        "account_sid": SID,
        "auth_token": TOKEN,
        "numbers": [OURS],
    }
    with Switch(tmp_path, users=[user("1001", number=THEIRS)], api=api) as switch:
        switch.wait_said("api.started")
        client = Client(SID, TOKEN, http_client=HttpClient(f"http://127.0.0.1:{rest}"))
        client.incoming_phone_numbers.create(phone_number=OURS)
        with Phone(switch.address, "1001", PASSWORD) as phone:
            assert phone.register().status == 200
            talker = Talker(phone)
            yield switch, client, talker
            talker.close()


def loudest(talker: Talker, seconds: float) -> int:
    """How loud it was within that time."""
    talker.sound.heard.clear()
    talker.sound.receive(int(seconds * 50), seconds + 1.0)
    packets = [data[12:] for data in talker.sound.heard if data[1] & 0x7F == 0]
    samples = find("PCMU").decoder().decode(b"".join(packets))
    return int(np.abs(samples.astype(int)).max()) if len(samples) else 0


@pytest.mark.peer("espeak-ng")
def test_a_code_by_telephone(place: tuple[Switch, Client, Talker], tmp_path: Path) -> None:
    switch, client, talker = place
    service = client.verify.v2.services.create("Shop", custom_code_enabled=True)
    verify = client.verify.v2.services(service.sid)
    verify.verifications.create(to=THEIRS, channel="call", custom_code="2468013579")
    talker.take()
    assert loudest(talker, 1.0) > 2000  # press any key
    talker.press("5")
    assert loudest(talker, 2.0) > 2000  # your code is
    talker.dialog.bye()
    assert verify.verification_checks.create(to=THEIRS, code="2468013579").valid
    assert b"2468013579" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "2468013579" not in switch.said(1_000_000)
