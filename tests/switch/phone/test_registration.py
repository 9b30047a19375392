"""The phone registers, refreshes, and takes its registration back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from switchroom.protocols import sip
from switchroom.switch.phone import Account, Phone, PhoneEvent, RegistrationFailedError

from .registrar import PASSWORD, Answer, Registrar
from .waiting import until


@pytest.fixture
async def registrar() -> AsyncIterator[Registrar]:
    async with Registrar() as running:
        yield running


def account(registrar: Registrar, **changes: object) -> Account:
    given: dict[str, object] = {
        "user": "1001",
        "password": PASSWORD,
        "server": registrar.address,
        "expires": 120,
    }
    return Account(**(given | changes))  # type: ignore[arg-type]


async def test_registers_with_its_password_and_goes_away_again(registrar: Registrar) -> None:
    told: list[PhoneEvent] = []
    async with Phone(account(registrar), told.append) as phone:
        assert await phone.register() == 120
        _, host, port = phone.bound[0]
        assert registrar.contacts == {f"sip:1001@{host}:{port}": 120}
    assert set(registrar.contacts.values()) == {0}
    assert [event.name for event in told] == ["registered", "unregistered"]
    assert len({request.call_id for request in registrar.requests}) == 1
    numbers = [request.cseq.number for request in registrar.requests]
    assert numbers == sorted(set(numbers))


async def test_over_tcp() -> None:
    async with Registrar("tcp") as registrar, Phone(account(registrar, transport="TCP")) as phone:
        await phone.register()
        assert all(uri.endswith(";transport=tcp") for uri in registrar.contacts)


async def test_a_wrong_password_is_an_error(registrar: Registrar) -> None:
    async with Phone(account(registrar, password="wrong")) as phone:
        with pytest.raises(RegistrationFailedError, match=r"^403 Forbidden$"):
            await phone.register()
    assert len(registrar.requests) == 2


async def test_a_too_short_time_is_mended(registrar: Registrar) -> None:
    async with Phone(account(registrar, expires=10)) as phone:
        assert await phone.register() == 60


@pytest.mark.parametrize("least", ["", "x", "10", "9" * 12])
async def test_a_423_that_makes_no_sense_ends_it(registrar: Registrar, least: str) -> None:
    registrar.answer = lambda request: (423, [("Min-Expires", least)])
    async with Phone(account(registrar)) as phone:
        with pytest.raises(RegistrationFailedError, match="423"):
            await phone.register()
    assert len(registrar.requests) == 1


async def test_a_server_that_challenges_for_ever_is_left(registrar: Registrar) -> None:
    def challenge(request: sip.Request) -> Answer:
        return 401, [("WWW-Authenticate", sip.Challenge("test", str(request.cseq), is_stale=True))]

    registrar.answer = challenge
    async with Phone(account(registrar)) as phone:
        with pytest.raises(RegistrationFailedError, match="401"):
            await phone.register()
    assert len(registrar.requests) <= 5


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ([], 120),
        ([("Expires", "90")], 90),
        ([("Contact", "<sip:1001@192.0.2.1>;expires=5"), ("Expires", "80")], 80),
    ],
)
async def test_how_long_it_was_granted(
    registrar: Registrar, headers: list[tuple[str, object]], granted: int
) -> None:
    registrar.answer = lambda request: (200, headers)
    async with Phone(account(registrar)) as phone:
        assert await phone.register() == granted


async def test_refreshes_before_the_time_is_over(registrar: Registrar) -> None:
    registrar.answer = lambda request: (200, [("Expires", "1" if request.expires else "0")])
    async with Phone(account(registrar)) as phone:
        assert await phone.register() == 1
        await until(lambda: len(registrar.requests) == 2)
        assert [request.expires for request in registrar.requests] == [120, 120]


async def test_a_refresh_that_fails_is_told_and_tried_again_later(registrar: Registrar) -> None:
    told: list[PhoneEvent] = []
    async with Phone(account(registrar), told.append) as phone:
        registrar.answer = lambda request: (200, [("Expires", "1")])
        await phone.register()
        registrar.answer = lambda request: (503, [])
        await until(lambda: len(told) == 2)
        assert str(told[1]) == 'registration_failed status=503 reason="Service Unavailable"'
    assert told[-1].name == "unregistration_failed"


async def test_a_connection_that_is_refused_is_an_error() -> None:
    async with Registrar("tcp") as registrar:
        gone = registrar.address
    phone = Phone(Account(user="1001", server=gone, transport="TCP"))
    await phone.start()
    with pytest.raises(RegistrationFailedError) as caught:
        await phone.register()
    assert caught.value.status == 503
    async with asyncio.timeout(3):
        await phone.stop()


async def test_without_a_server_there_is_nothing_to_register_at() -> None:
    async with Phone(Account(listen="127.0.0.1:0")) as phone:
        with pytest.raises(RegistrationFailedError, match="no server"):
            await phone.register()


async def test_a_call_answers_the_servers_challenge(registrar: Registrar) -> None:
    """INVITE, 407, ACK, INVITE with the proof; a refusal after it is final."""

    def judge(request: sip.Request) -> Answer:
        if "Proxy-Authorization" in request:
            return 486, []
        return 407, [("Proxy-Authenticate", sip.Challenge("test", "abc"))]

    registrar.answer = judge
    async with Phone(account(registrar)) as phone:
        call = await phone.call("1002")
        assert (await call.ended()) == "486 Busy Here"
    invites = [request for request in registrar.requests if request.method == "INVITE"]
    assert [request.cseq.number for request in invites] == [1, 2]
    assert len({(request.call_id, request.from_tag) for request in invites}) == 1
    assert str(invites[0].uri) == "sip:1002@{}:{}".format(*registrar.address)


async def test_a_wrong_password_in_a_call_is_not_tried_for_ever(registrar: Registrar) -> None:
    challenge = ("WWW-Authenticate", sip.Challenge("test", "abc"))
    registrar.answer = lambda request: (401, [challenge])
    async with Phone(account(registrar)) as phone:
        call = await phone.call("1002@example.com")
        assert (await call.ended()).startswith("401")
    assert len(registrar.requests) == 2
    assert registrar.requests[0].uri.host == "example.com"
