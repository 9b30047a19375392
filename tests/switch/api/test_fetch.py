"""Webhooks: signatures, fences, limits, redirects, order, retries and dead letters."""

from __future__ import annotations

import asyncio
import random
import ssl
import string
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.api.webhooks.cookies import Cookies
from switchroom.switch.api.webhooks.courier import Courier, Letter
from switchroom.switch.api.webhooks.fetch import Fetcher, FetchError, Limits, Request
from switchroom.switch.api.webhooks.overrides import Overrides
from switchroom.switch.api.webhooks.signature import sign, with_body_hash
from switchroom.switch.net.fence import Fence

from .conftest import SID, TOKEN, WebhookServer


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(Fence(["127.0.0.1/32"]), ssl.create_default_context(), Limits(1.0, 1.0, 2.0))
    yield fetcher
    await fetcher.close()


# -- signatures


def test_the_published_signatures() -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    params = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
        ("Caller", "+14158675309"),
    ]
    assert sign("12345", url, params) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    doubled = [("Sid", "CA123"), ("SidAccount", "AC123"), *[("Digits", d) for d in ("5678", "1234", "1234")]]
    assert sign("12345", url, doubled) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


def test_the_validator_of_the_clients_agrees() -> None:
    rng = random.Random(6)
    letters = string.printable.strip() + "äß€😀 "
    for _ in range(100):
        token = "".join(rng.choices(string.hexdigits, k=32))
        names = ["".join(rng.choices(string.ascii_letters, k=rng.randint(1, 12))) for _ in range(9)]
        params = {name: "".join(rng.choices(letters, k=rng.randint(0, 30))) for name in names}
        url = f"http{rng.choice(['', 's'])}://example.com/{rng.choice(names)}?a={rng.choice(names)}"
        made = sign(token, url, params.items())
        validator = RequestValidator(token)
        assert validator.validate(url, params, made)
        name = rng.choice(names)
        assert not validator.validate(url, {**params, name: params[name] + "x"}, made)
        assert not validator.validate(url + "x", params, made)


async def test_what_arrives_is_signed(fetcher: Fetcher, hooks: WebhookServer) -> None:
    params = [("Body", "Grüße & more"), ("From", "+15005550006")]
    await fetcher.fetch(Request(hooks.url + "/a?b=c", "POST", params), TOKEN)
    await fetcher.fetch(Request(hooks.url + "/a?b=c", "GET", params), TOKEN)
    await fetcher.fetch(Request(hooks.url + "/a?b=c", payload={"x": [1]}), TOKEN)
    validator = RequestValidator(TOKEN)
    (method, target, headers, body), got, posted = hooks.requests
    form = dict(parse_qsl(body.decode()))
    assert (method, form) == ("POST", dict(params))
    assert validator.validate(hooks.url + target, form, headers["x-twilio-signature"])
    assert got[0] == "GET"
    assert validator.validate(hooks.url + got[1], {}, got[2]["x-twilio-signature"])
    assert posted[2]["content-type"] == "application/json"
    assert validator.validate(hooks.url + posted[1], posted[3].decode(), posted[2]["x-twilio-signature"])
    assert not validator.validate(hooks.url + posted[1], "{}", posted[2]["x-twilio-signature"])
    assert with_body_hash("http://a/b", b"x").startswith("http://a/b?bodySHA256=")


# -- the fence


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1"),
        *("fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "ff02::1"),
        *("2002:7f00:1::", "::127.0.0.1", "2001:db8::1", "no address"),
    ],
)
def test_what_a_webhook_may_not_reach(address: str) -> None:
    assert not Fence().allows(address)


def test_what_it_may() -> None:
    assert Fence().allows("8.8.8.8")
    assert Fence().allows("2001:4860:4860::8888")
    assert Fence(["127.0.0.1/32"]).allows("::ffff:127.0.0.1")
    assert not Fence(["127.0.0.1/32"]).allows("127.0.0.2")


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:{port}/", "http://[::1]:{port}/", "http://0x7f000001:{port}/"),
        *("http://2130706433:{port}/", "http://127.1:{port}/", "http://localhost:{port}/"),
        *("http://[::ffff:127.0.0.1]:{port}/", "http://0:{port}/", "http://169.254.169.254/latest"),
        *(
            "file:///etc/passwd",
            "gopher://127.0.0.1:{port}/",
            "http://",
            "http://127.0.0.1:0/",
            "http://a:b/",
        ),
        "http://user@127.0.0.1:{port}/",
    ],
)
async def test_nothing_private_is_asked(url: str, hooks: WebhookServer) -> None:
    fetcher = Fetcher(Fence(), ssl.create_default_context(), Limits(1.0, 1.0, 2.0))
    with pytest.raises(FetchError) as refused:
        await fetcher.fetch(Request(url.format(port=hooks.url.rpartition(":")[2])), TOKEN)
    assert refused.value.code in (11100, 11205, 11210)
    assert hooks.requests == []
    await fetcher.close()


async def test_a_redirect_leads_nowhere_private(hooks: WebhookServer) -> None:
    fetcher = Fetcher(Fence(["127.0.0.1/32"]), ssl.create_default_context(), Limits(1.0, 1.0, 2.0))
    port = hooks.url.rpartition(":")[2]
    hooks.by_path["/out"] = (302, "text/plain", f"http://127.0.0.2:{port}/secret")
    hooks.by_path["/file"] = (302, "text/plain", "file:///etc/passwd")
    for path, code in (("/out", 11210), ("/file", 11100)):
        with pytest.raises(FetchError) as refused:
            await fetcher.fetch(Request(hooks.url + path), TOKEN)
        assert refused.value.code == code
    assert [target for _, target, _, _ in hooks.requests] == ["/out", "/file"]
    await fetcher.close()


async def test_a_name_that_changes_is_looked_up_once(fetcher: Fetcher, monkeypatch: Any) -> None:
    """The address that was checked is the one that is used, whatever the name says the next moment."""
    asked, connected = [], []
    loop = asyncio.get_running_loop()

    async def flipping(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(0, 0, 0, "", (address, port))]

    async def connect_tcp(address: str, *_: Any, **__: Any) -> Any:
        connected.append(address)
        raise OSError("not here")

    monkeypatch.setattr(loop, "getaddrinfo", flipping)
    fetcher = Fetcher(Fence(), ssl.create_default_context(), Limits(1.0, 1.0, 2.0))
    monkeypatch.setattr(fetcher.connections, "connect", connect_tcp)
    with pytest.raises((FetchError, OSError)):
        await fetcher.fetch(Request("http://flip.example/"), TOKEN)
    assert (asked, connected) == (["flip.example"], ["93.184.216.34"])
    with pytest.raises(FetchError) as refused:
        await fetcher.fetch(Request("http://flip.example/"), TOKEN)
    assert refused.value.code == 11210
    assert connected == ["93.184.216.34"]


# -- limits


async def test_limits_of_size_time_and_redirects(fetcher: Fetcher, hooks: WebhookServer) -> None:
    hooks.by_path["/big"] = (200, "text/xml", "x" * 65537)
    hooks.by_path["/loop"] = (307, "text/plain", "/loop")
    for path, code in (("/big", 11750), ("/loop", 11215)):
        with pytest.raises(FetchError) as refused:
            await fetcher.fetch(Request(hooks.url + path), TOKEN)
        assert refused.value.code == code
    assert len(hooks.requests) == 5

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/#tt=150"
    with pytest.raises(FetchError) as refused:
        await fetcher.fetch(Request(url), TOKEN)
    assert refused.value.code == 11205
    server.close()
    with pytest.raises(FetchError) as refused:
        await fetcher.fetch(Request(url), TOKEN)
    assert refused.value.code == 11205


def test_overrides_of_a_connection() -> None:
    limits = Limits(5.0, 10.0, 10.0)
    assert limits.overridden("http://a/#ct=500&rt=2000&tt=5000") == Limits(0.5, 2.0, 5.0)
    assert limits.overridden("http://a/#tt=99999999") == replace(limits, total=60.0)
    assert limits.overridden("http://a/#ct=x&rt=-1") == limits
    texts = ("rc=2", "rc=99", "rc=x", "")
    assert [Overrides.of(f"http://a/#{text}").retries for text in texts] == [2, 5, None, None]
    some = Overrides.of("http://a/#rp=5xx,rt")
    assert [kind for kind in ("4xx", "5xx", "ct", "rt", "") if some.allows(kind, "ct")] == ["5xx", "rt"]
    assert Overrides.of("http://a/#rp=all").allows("4xx", "ct")
    wrong = Overrides.of("http://a/#rp=sometimes")
    assert [kind for kind in ("5xx", "ct") if wrong.allows(kind, "ct")] == ["ct"]


@pytest.mark.parametrize(
    ("fragment", "statuses", "asked", "last"),
    [
        ("", [503, 200], 1, 503),
        ("#rp=5xx", [503, 200], 2, 200),
        ("#rp=5xx&rc=2", [503, 500, 404, 200], 3, 404),
        ("#rp=4xx&rc=1", [404, 404, 200], 2, 404),
        ("#rp=all&rc=0", [503, 200], 1, 503),
    ],
)
async def test_a_document_is_asked_for_again_as_its_address_says(
    fetcher: Fetcher, hooks: WebhookServer, fragment: str, statuses: list[int], asked: int, last: int
) -> None:
    hooks.answers += [(status, "text/xml", "") for status in statuses]
    reply = await fetcher.persist(Request(f"{hooks.url}/a{fragment}"), "t")
    assert (reply.status, len(hooks.requests)) == (last, asked)


async def test_a_connection_that_cannot_be_had_is_tried_once_more(fetcher: Fetcher, monkeypatch: Any) -> None:
    tried = []

    async def refuse(*given: Any) -> Any:
        tried.append(given)
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(fetcher.connections, "connect", refuse)
    for fragment, count in (("", 2), ("#rc=3", 4), ("#rp=rt", 1)):
        tried.clear()
        with pytest.raises(FetchError) as failed:
            await fetcher.persist(Request(f"http://127.0.0.1:9/{fragment}"), "t")
        assert (failed.value.code, failed.value.kind, len(tried)) == (11205, "ct", count)


async def test_cookies_stay_within_a_conversation(fetcher: Fetcher) -> None:
    cookies = Cookies()
    cookies.learn("http://a/x", ["sid=1; Path=/; HttpOnly", "b=2"])
    cookies.learn("http://a/", ["sid=3"])
    assert cookies.header("http://a/y") == "sid=3; b=2"
    assert cookies.header("http://b/") == ""
    cookies.learn("https://a", ["deep=4; Path=/menu", "safe=5; Secure", "b=; Max-Age=0"])
    cookies.learn("https://a", ["sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
    assert cookies.header("http://a/menus") == ""
    assert cookies.header("http://a/menu/1") == "deep=4"
    assert cookies.header("https://a:444/menu") == "deep=4; safe=5"
    cookies.learn("a", [f"c{n}=x" for n in range(100)])
    assert cookies.header("a").count("=") <= 22


# -- the courier


def courier_of(room: ApiRoom) -> Courier:
    return room.house.courier


async def send(room: ApiRoom, url: str, *, resource: str = "SM1", **more: Any) -> str:
    params = more.pop("params", [("MessageStatus", "sent")])
    doc = courier_of(room).make(Letter(SID, resource, "status", url, params, **more))
    await room.house.library.write([doc])
    courier_of(room).post(doc)
    return doc.sid


async def settled(room: ApiRoom) -> None:
    async with asyncio.timeout(10):
        while courier_of(room).waiting_count or courier_of(room)._tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_letters_of_a_resource_come_in_order_though_the_first_fails(
    room: ApiRoom, hooks: WebhookServer
) -> None:
    hooks.answers = [(500, "text/plain", ""), (503, "text/plain", ""), (200, "text/plain", "ok")]
    for n in range(5):
        await send(room, hooks.url + "/s", params=[("N", str(n))])
    await settled(room)
    assert [body for _, _, _, body in hooks.requests] == [
        b"N=0",
        b"N=0",
        b"N=0",
        b"N=1",
        b"N=2",
        b"N=3",
        b"N=4",
    ]
    tokens = [headers["i-twilio-idempotency-token"] for _, _, headers, _ in hooks.requests]
    assert len(set(tokens[:3])) == 1
    assert len(set(tokens)) == 5


async def test_a_dead_letter_is_kept_and_can_be_sent_again(room: ApiRoom, hooks: WebhookServer) -> None:
    hooks.by_path["/gone"] = (404, "text/plain", "no")
    sid = await send(room, hooks.url + "/gone")
    await settled(room)
    assert len(hooks.requests) == 1  # what is not there will not be there in a moment either
    (row,) = room.handlers()["api.webhooks"](state="dead")
    assert (row["webhook"], row["answer"], row["attempts"]) == (sid, 404, 1)
    hooks.by_path["/gone"] = (200, "text/plain", "yes")
    again = (await room.handlers()["api.replay"](sid))["webhook"]
    await settled(room)
    assert room.handlers()["api.webhook"](again)["state"] == "done"
    with pytest.raises(LookupError):
        await room.handlers()["api.replay"]("WD" + "0" * 32)


async def test_attempts_end(room: ApiRoom, hooks: WebhookServer) -> None:
    hooks.by_path["/down"] = (500, "text/plain", "")
    sid = await send(room, hooks.url + "/down#rc=2")
    await settled(room)
    assert len(hooks.requests) == 3
    assert room.handlers()["api.webhook"](sid)["state"] == "dead"


async def test_a_fallback_is_told_why(room: ApiRoom, hooks: WebhookServer) -> None:
    hooks.by_path["/down"] = (500, "text/plain", "")
    await send(room, hooks.url + "/down", fallback_url=hooks.url + "/other", fallback_method="GET")
    await settled(room)
    assert [target.partition("?")[0] for _, target, _, _ in hooks.requests] == ["/down", "/other"]
    assert "ErrorCode=11200" in hooks.requests[1][1]


async def test_what_was_not_delivered_goes_on_after_a_start(room: ApiRoom, hooks: WebhookServer) -> None:
    doc = courier_of(room).make(Letter(SID, "SM1", "status", hooks.url + "/late", []))
    await room.house.library.write([doc])
    await room.stop()
    await room.start()
    await hooks.wait_for(1)
    await settled(room)
    assert room.handlers()["api.webhook"](doc.sid)["state"] == "done"
