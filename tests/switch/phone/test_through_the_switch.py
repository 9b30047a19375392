"""Two phones of ours, registered at a switch of ours: tones, digits and hold cross it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchroom.switch.phone import (
    Account,
    CallFailedError,
    Phone,
    PhoneEvent,
    RegistrationFailedError,
    TextFailedError,
    read_wav,
)
from tests.peers.harness import PASSWORD, Switch, users

from .sounds import share_of, tone
from .waiting import until


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with Switch(tmp_path_factory.mktemp("switch"), users=users((1001, 1002))) as running:
        yield running


def account(switch: Switch, user: str, transport: str = "UDP") -> Account:
    return Account(user=user, password=PASSWORD, server=switch.address, transport=transport)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_a_call(switch: Switch, tmp_path: Path, transport: str) -> None:
    async with (
        Phone(account(switch, "1001", transport)) as a,
        Phone(account(switch, "1002")) as b,
        asyncio.timeout(20),
    ):
        await a.register()
        await b.register()
        outgoing = await a.call("1002")
        incoming = await b.incoming()
        incoming.answer()
        await outgoing.answered()
        outgoing.audio.record(tmp_path / "a.wav")
        incoming.audio.record(tmp_path / "b.wav")
        await asyncio.gather(outgoing.audio.play(tone(500)), incoming.audio.play(tone(1200)))
        await outgoing.send_digits("19*")
        await until(lambda: incoming.digits_received == "19*")
        await incoming.hold()
        await until(lambda: outgoing.is_remote_hold)
        await incoming.resume()
        await until(lambda: not outgoing.is_remote_hold)
        received = outgoing.audio.report().packets_received
        await until(lambda: outgoing.audio.report().packets_received > received + 5)
        outgoing.hang_up()
        assert await incoming.ended() == "remote"
    assert share_of(read_wav(tmp_path / "a.wav")[800:3200], 1200) > 0.9
    assert share_of(read_wav(tmp_path / "b.wav")[800:3200], 500) > 0.9
    for call in (outgoing, incoming):
        assert call.report is not None
        assert (call.report.malformed, call.report.foreign) == (0, 0)


async def test_texts(switch: Switch) -> None:
    heard: list[PhoneEvent] = []
    async with (
        Phone(account(switch, "1001", "TCP")) as a,
        Phone(account(switch, "1002"), heard.append) as b,
        asyncio.timeout(20),
    ):
        await a.register()
        await b.register()
        assert await a.text("1002", "Grüße\nan dich") in (200, 202)
        await until(lambda: any(event.name == "text" for event in heard))
        text = next(event for event in heard if event.name == "text")
        assert text.fields["text"] == "Grüße\nan dich"
        assert getattr(text.fields["remote"], "user", None) == "1001"
        with pytest.raises(TextFailedError, match=r"^404 "):
            await a.text("1999", "Nobody there?")


async def test_what_goes_wrong(switch: Switch) -> None:
    async with Phone(account(switch, "1001")) as a, asyncio.timeout(20):
        await a.register()
        call = await a.call("1999")
        with pytest.raises(CallFailedError, match=r"^404 "):
            await call.answered()
        absent = await a.call("1002")
        with pytest.raises(CallFailedError, match=r"^480 "):
            await absent.answered()
    async with Phone(Account(user="1001", password="wrong", server=switch.address)) as stranger:
        with pytest.raises(RegistrationFailedError, match=r"^40[13] "):
            await stranger.register()
