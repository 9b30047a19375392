"""Two phones call each other without a switch between them: the protocol rooms stand alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from switchroom.switch.phone import Account, Call, CallFailedError, Phone, PhoneEvent, read_wav

from .sounds import share_of, tone
from .waiting import until


class Telephone:
    """A phone and what it told."""

    def __init__(self, account: Account) -> None:
        self.told: list[PhoneEvent] = []
        self.phone = Phone(account, self.told.append)

    @property
    def uri(self) -> str:
        transport, host, port = self.phone.bound[0]
        return f"sip:bob@{host}:{port};transport={transport}"

    def names(self) -> list[str]:
        return [event.name for event in self.told]

    def fields(self, name: str) -> dict[str, object]:
        """Of the last event of that name."""
        return dict(next(event.fields for event in reversed(self.told) if event.name == name))


Lend: TypeAlias = Callable[..., Awaitable[Telephone]]


@pytest.fixture
async def lend() -> AsyncIterator[Lend]:
    async with AsyncExitStack() as stack:

        async def made(host: str = "127.0.0.1", **account: object) -> Telephone:
            telephone = Telephone(Account(listen=f"{host}:0", **account))  # type: ignore[arg-type]
            await stack.enter_async_context(telephone.phone)
            return telephone

        yield made


async def connected(a: Telephone, b: Telephone) -> tuple[Call, Call]:
    """A call that is up, at both its ends."""
    outgoing = await a.phone.call(b.uri)
    incoming = await b.phone.incoming()
    incoming.answer()
    await outgoing.answered()
    return outgoing, incoming


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_two_phones_hear_each_other(lend: Lend, tmp_path: Path, transport: str) -> None:
    a, b = await lend(transport=transport), await lend("127.0.0.2", transport=transport)
    outgoing, incoming = await connected(a, b)
    outgoing.audio.record(tmp_path / "a.wav")
    incoming.audio.record(tmp_path / "b.wav")
    await asyncio.gather(outgoing.audio.play(tone(500)), incoming.audio.play(tone(1200)))
    await outgoing.send_digits("7*")
    await until(lambda: incoming.digits_received == "7*")
    outgoing.hang_up()
    assert await incoming.ended() == "remote"
    assert await outgoing.ended() == "local"
    assert outgoing.ended_normally
    assert incoming.ended_normally
    assert share_of(read_wav(tmp_path / "a.wav")[:4000], 1200) > 0.9
    assert share_of(read_wav(tmp_path / "b.wav")[:4000], 500) > 0.9
    assert a.names() == ["calling", "ringing", "answered", "sent", "ended"]
    assert b.names() == ["incoming", "answered", "digit", "digit", "ended"]
    assert incoming.report is not None
    assert incoming.report.packets_received >= 25


async def test_over_ipv6(lend: Lend) -> None:
    a, b = await lend("[::1]"), await lend("[::1]")
    target = f"sip:bob@[::1]:{b.phone.bound[0][2]}"
    outgoing = await a.phone.call(target)
    incoming = await b.phone.incoming()
    incoming.answer()
    await outgoing.answered()
    await until(lambda: outgoing.audio.report().packets_received > 2)
    incoming.hang_up()
    assert await outgoing.ended() == "remote"


async def test_a_busy_phone_says_so(lend: Lend) -> None:
    a, b, c = await lend(), await lend(), await lend()
    outgoing, _ = await connected(a, b)
    second = await c.phone.call(b.uri)
    with pytest.raises(CallFailedError, match=r"^486 Busy Here$"):
        await second.answered()
    assert second.is_over
    assert not second.ended_normally
    assert outgoing.is_up


async def test_a_call_may_be_rejected_and_the_next_one_taken(lend: Lend) -> None:
    a, b = await lend(), await lend()
    outgoing = await a.phone.call(b.uri)
    (await b.phone.incoming()).reject(603)
    with pytest.raises(CallFailedError) as caught:
        await outgoing.answered()
    assert caught.value.status == 603
    assert a.fields("failed") == {"status": 603, "reason": "Decline"}
    _, incoming = await connected(a, b)
    assert incoming.is_up


async def test_the_caller_may_give_up(lend: Lend) -> None:
    a, b = await lend(), await lend()
    outgoing = await a.phone.call(b.uri)
    incoming = await b.phone.incoming()
    await until(lambda: "ringing" in a.names())
    outgoing.hang_up()
    assert (await outgoing.ended()).startswith("487")
    assert (await incoming.ended()).startswith("487")
    with pytest.raises(CallFailedError, match="cancelled by the caller"):
        await incoming.answered()


async def test_hanging_up_before_answering_refuses(lend: Lend) -> None:
    a, b = await lend(), await lend()
    outgoing = await a.phone.call(b.uri)
    (await b.phone.incoming()).hang_up()
    with pytest.raises(CallFailedError) as caught:
        await outgoing.answered()
    assert caught.value.status == 480


async def test_no_codec_in_common_is_488(lend: Lend) -> None:
    a, b = await lend(codecs=("PCMA/8000",)), await lend(codecs=("PCMU/8000",))
    outgoing = await a.phone.call(b.uri)
    incoming = await b.phone.incoming()
    with pytest.raises(CallFailedError) as refused:
        incoming.answer()
    with pytest.raises(CallFailedError) as failed:
        await outgoing.answered()
    assert (refused.value.status, failed.value.status) == (488, 488)


@pytest.mark.parametrize("is_caller", [True, False])
async def test_hold_and_resume_from_either_side(lend: Lend, is_caller: bool) -> None:
    a, b = await lend(), await lend()
    calls = await connected(a, b)
    holder, held = calls if is_caller else reversed(calls)
    telephones = (a, b) if is_caller else (b, a)
    await holder.hold()
    assert held.is_remote_hold
    sent = held.audio.report().packets_sent
    await asyncio.sleep(0.1)  # time for five packets that must not come
    assert held.audio.report().packets_sent <= sent + 1
    await holder.resume()
    assert not held.is_remote_hold
    received = holder.audio.report().packets_received
    await until(lambda: holder.audio.report().packets_received > received + 3)
    assert telephones[0].names()[-2:] == ["held", "resumed"]
    assert telephones[1].fields("resumed") == {"by": "remote"}


async def test_both_hold_at_once_and_one_waits(lend: Lend) -> None:
    a, b = await lend(), await lend()
    outgoing, incoming = await connected(a, b)
    async with asyncio.timeout(12):
        await asyncio.gather(outgoing.hold(), incoming.hold())
    for call in (outgoing, incoming):
        assert call.is_up
        assert call.audio.is_held
        assert call.is_remote_hold


async def test_changes_need_a_call_that_is_up(lend: Lend) -> None:
    a, b = await lend(), await lend()
    outgoing = await a.phone.call(b.uri)
    with pytest.raises(CallFailedError, match="not up"):
        await outgoing.hold()
    incoming = await b.phone.incoming()
    incoming.answer()
    await outgoing.answered()
    holding = asyncio.ensure_future(outgoing.hold())
    await asyncio.sleep(0)
    outgoing.hang_up()
    with pytest.raises(CallFailedError, match="ended"):
        await holding


async def test_nobody_at_the_other_end(lend: Lend) -> None:
    a = await lend(transport="TCP")
    call = await a.phone.call("sip:nobody@127.0.0.1:9;transport=tcp")
    with pytest.raises(CallFailedError) as caught:
        await call.answered()
    assert caught.value.status == 503


async def test_a_number_needs_a_server(lend: Lend) -> None:
    a = await lend()
    with pytest.raises(CallFailedError, match="no server"):
        await a.phone.call("1002")


async def test_a_host_without_a_listener_towards_it(lend: Lend) -> None:
    a = await lend()
    with pytest.raises(OSError, match="cannot be reached"):
        await a.phone.call("sip:x@[::1]:5060")


async def test_stopping_hangs_up(lend: Lend) -> None:
    b = await lend()
    async with Phone(Account(listen="127.0.0.1:0")) as phone:
        call = await phone.call(b.uri)
        incoming = await b.phone.incoming()
        incoming.answer()
        await call.answered()
    assert await incoming.ended() == "remote"
