"""The bus between workers, and whose a message is."""

from __future__ import annotations

import asyncio
import socket

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.flow import Flow
from switchroom.switch.net import bus as bus_module
from switchroom.switch.net.bus import Bus, Frame, Kind, Line, make_pair, pack_flow, unpack_flow
from switchroom.switch.net.owners import Owners
from switchroom.switch.net.tap import Tap

from .desk import Desk, Tcp, Udp
from .desk import request as request_of

SECRET = b"s" * 32
UDP = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.7", 5060))
TLS = Flow("TLS", ("2001:db8::1", 5061), ("2001:db8::2", 40000), (1 << 40) + 7, "trunk.example")


def pair_of_buses() -> tuple[Bus, Bus]:
    (in0, to0), (in1, to1) = make_pair(), make_pair()
    return Bus(0, Line(in0, {1: to1})), Bus(1, Line(in1, {0: to0}))


def close(*buses: Bus) -> None:
    for each in buses:
        each.stop()
        assert each.line is not None
        each.line.inbox.close()
        for sock in each.line.others.values():
            sock.close()


@pytest.mark.parametrize("flow", [UDP, TLS])
def test_a_flow_goes_around(flow: Flow) -> None:
    assert unpack_flow(pack_flow(flow)) == flow


async def test_news_and_messages_come_in_order() -> None:
    a, b = pair_of_buses()
    heard: list[object] = []
    frames: list[Frame] = []

    def take(given: list[Frame]) -> None:
        frames.extend(given)
        for frame in given:
            if frame.kind == Kind.NEWS:
                b.tell(frame)

    b.on_frames = take
    b.subscribe("lamp", lambda payload, slot: heard.append((payload, slot)))
    b.start()
    a.publish("lamp", {"user": ("1001", UDP)})
    a.publish("nobody hears", 1)
    a.forward(1, b"BYE", UDP)
    assert a.send_over(b"INVITE", TLS)
    assert not b.send_over(b"INVITE", TLS)  # it is its own
    a.tell_closed(TLS, "reset")
    a.send(1, "lamp", 2)
    await asyncio.sleep(0.05)
    assert heard == [({"user": ("1001", UDP)}, 0), (2, 0)]
    told = [(frame.kind, unpack_flow(frame.first), frame.rest) for frame in frames if frame.kind != Kind.NEWS]
    assert told == [(Kind.MESSAGE, UDP, b"BYE"), (Kind.SEND, TLS, b"INVITE"), (Kind.FAILED, TLS, b"reset")]
    close(a, b)


async def test_a_worker_that_does_not_read_costs_a_bounded_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "MAX_WAITING", 1 << 20)
    a, b = pair_of_buses()
    for number in range(20_000):  # more than the kernel and the queue have room for
        a.forward(1, b"%6d" % number + b"x" * 1000, UDP)
    a.flush()
    assert a.counters["dropped"] > 0
    got: list[bytes] = []
    b.on_frames = lambda frames: got.extend(frame.rest[:6] for frame in frames)
    b.start()
    for _ in range(100):
        await asyncio.sleep(0.02)
        if got and len(got) > 3000 and not a._ways[1]._waiting:
            break
    assert got == sorted(got)
    assert len(got) > 3000
    a.forward(1, b"     later", UDP)
    await asyncio.sleep(0.05)
    assert got[-1] == b"     l"
    close(a, b)


async def test_news_are_with_the_others_before_the_answer_that_follows_from_them() -> None:
    """A phone may call through another worker as soon as it has the 200 to its REGISTER."""
    a, b = pair_of_buses()
    seen: list[bytes] = []

    class Leaving(Tap):
        def left(self, messages: list[tuple[bytes, Flow]], now: float) -> None:
            assert b.line is not None
            seen.append(b.line.inbox.recv(65536, socket.MSG_PEEK))  # raises where nothing is there yet

    async with Desk("udp:127.0.0.1:0", bus=a, tap=Leaving()) as desk:

        def register(event: sip.RequestReceived, now: float) -> None:
            a.publish("bindings", "2001")
            desk.answer(event, now)

        desk.on_request = register
        with Udp() as phone:
            phone.send(request_of("REGISTER"), desk.address())
            assert (await phone.receive()).startswith(b"SIP/2.0 200")
    assert len(seen) == 1
    assert b"2001" in seen[0]
    close(a, b)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_news_are_heard_before_what_came_after_them(transport: str) -> None:
    """Whichever socket the loop happens to look at first."""
    a, b = pair_of_buses()
    heard: list[str] = []
    b.subscribe("bindings", lambda payload, slot: heard.append(payload))

    def hear(event: sip.RequestReceived, now: float) -> None:
        heard.append(event.request.method)

    async with Desk(f"{transport}:127.0.0.1:0", bus=b) as desk:
        b.start()
        if transport == "udp":
            desk.on_request = hear
            with Udp() as phone:
                phone.send(request_of("MESSAGE"), desk.address())
                a.publish("bindings", "2001")
                a.flush()
                await desk.until(lambda: "MESSAGE" in heard)
        else:
            async with await Tcp.open(desk.address()) as phone:
                phone.send(request_of(via="TCP 192.0.2.99:5060"))
                await phone.receive()  # from now on its connection is watched
                desk.on_request = hear
                phone.send(request_of("MESSAGE", via="TCP 192.0.2.99:5060"))
                a.publish("bindings", "2001")
                a.flush()
                await desk.until(lambda: "MESSAGE" in heard)
    assert heard == ["2001", "MESSAGE"]
    close(a, b)


async def test_alone_it_is_silent() -> None:
    alone = Bus()
    alone.publish("lamp", object())  # which could not even be pickled across
    alone.start()
    alone.flush()
    assert not alone.send_over(b"", TLS)
    alone.stop()
    assert alone.is_leader


OWN, OTHER = sip.Mint(0, 3, secret=SECRET), sip.Mint(1, 9, secret=SECRET)
DEAD, STRANGER = sip.Mint(1, 8, secret=SECRET), sip.Mint(1, 9, secret=b"t" * 32)


def owners(*, is_spread: bool = False) -> Owners:
    made = Owners(OWN, 0, 2, is_spread=lambda host: is_spread)
    made.update({0: 3, 1: 9})
    return made


def request(method: str, to: str = "To: <sip:b@c>", more: str = "", call_id: str = "x") -> bytes:
    return (
        f"{method} sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK-1\r\n"
        f"From: <sip:a@b>;tag=1\r\n{to}\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n{more}"
        "Content-Length: 0\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("data", "owner"),
    [
        (request("BYE", f"To: <sip:b@c>;tag={OTHER.tag()}"), 1),
        (request("BYE", f"to :<sip:b@c> ;x=y; Tag = {OTHER.tag()} ;z"), 1),
        (request("BYE", f"t:<sip:b@c>\r\n ;tag={OTHER.tag()}"), 1),
        (request("BYE", f"To: <sip:b@c>\r\n ;tag={OTHER.tag()}"), 1),
        (request("BYE", f"To: <sip:b@c>;tag={OWN.tag()}"), None),
        (request("BYE", f"To: <sip:b@c>;tag={DEAD.tag()}"), None),
        (request("BYE", f"To: <sip:b@c>;tag={STRANGER.tag()}"), None),
        (request("BYE", "To: <sip:b@c>;tag=1"), None),
        (request("INVITE"), None),
        (request("INVITE", more=f"Replaces: x@y;to-tag={OTHER.tag()};from-tag=1\r\n"), 1),
        (request("INVITE", more=f"Replaces: x@y;to-tag={OWN.tag()};from-tag=1\r\n"), None),
        (request("PUBLISH", more=f"SIP-If-Match: {OTHER.tag()}\r\n"), 1),
        (request("INVITE", more=f"Subject: {OTHER.tag()}\r\n"), None),
        (f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={OTHER.branch()}\r\n\r\n".encode(), 1),
        (f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={OWN.branch()}\r\n\r\n".encode(), None),
        (b"SIP/2.0 200 OK\r\n\r\n", None),
        (b"", None),
        (b"\xff" * 100, None),
    ],
    ids=map(str, range(18)),  # the octets themselves are random
)
def test_whose_a_message_is(data: bytes, owner: int | None) -> None:
    assert owners().owner_of(data, "192.0.2.7") == owner


def test_what_a_trunk_begins_is_dealt_out_and_stays_together() -> None:
    spread = owners(is_spread=True)
    found = [spread.owner_of(request("INVITE", call_id=f"c{n}"), "192.0.2.9") for n in range(200)]
    assert 60 < found.count(1) < 140
    for n, owner in enumerate(found):  # CANCEL and a copy by another way go where the INVITE went
        assert spread.owner_of(request("CANCEL", call_id=f"c{n}"), "192.0.2.9") == owner
        assert spread.owner_of(request("INVITE", call_id=f"c{n} "), "192.0.2.10") == owner
    assert spread.owner_of(request("BYE", f"To: x;tag={OWN.tag()}", call_id="c1"), "192.0.2.9") is None
    spread.update({0: 3})  # the other one died: all is ours
    assert {spread.owner_of(request("INVITE", call_id=f"c{n}"), "192.0.2.9") for n in range(50)} == {None}


async def test_what_waited_for_the_last_life_is_left_to_its_repetitions_if_it_begins_something() -> None:
    """Another worker may have taken a repetition already; over a connection there is none."""
    a, b = pair_of_buses()
    bye = request("BYE", f"To: <sip:b@c>;tag={OWN.tag()}")
    for data, flow in [
        (request("INVITE"), UDP),
        (bye, UDP),
        (request("INVITE"), TLS),
        (b"SIP/2.0 200 OK", UDP),
    ]:
        a.forward(1, data, flow)
    a.publish("lamp", 1)
    a.flush()
    got: list[Frame] = []
    b.on_frames = got.extend
    b.start()
    assert [frame.rest for frame in got[:3]] == [bye, request("INVITE"), b"SIP/2.0 200 OK"]
    assert [frame.kind for frame in got[3:]] == [Kind.NEWS]
    got.clear()
    a.forward(1, request("INVITE"), UDP)
    a.flush()
    await asyncio.sleep(0.05)
    assert [frame.rest for frame in got] == [request("INVITE")]  # and this is ours to begin
    close(a, b)


@pytest.mark.parametrize("is_spread", [False, True])
def test_a_call_begun_while_a_worker_was_dead_stays_where_it_is(is_spread: bool) -> None:
    """Its CANCEL and repetitions have no tag that names us, whoever reads them afterwards."""
    ids = [f"begun-{n}" for n in range(20)]
    here, there = owners(is_spread=is_spread), Owners(OTHER, 1, 2, is_spread=lambda host: is_spread)
    here.update({0: 3})  # the other one is dead
    for call_id in ids:
        assert here.owner_of(request("INVITE", call_id=call_id), "") is None
        assert here.owner_of(request("OPTIONS", call_id="o" + call_id), "") is None
    here.update({0: 3, 1: 10})
    there.update({0: 3, 1: 10})
    assert here.begun == [call_id.encode() for call_id in ids]
    there.learn(here.begun, 0)
    for method in ("INVITE", "CANCEL"):
        assert {here.owner_of(request(method, call_id=call_id), "") for call_id in ids} == {None}
        assert {there.owner_of(request(method, call_id=call_id), "") for call_id in ids} == {0}
    assert not there.begun
    fresh = {there.owner_of(request("INVITE", call_id=f"fresh-{n}"), "") for n in range(20)}
    assert fresh == ({None, 0} if is_spread else {None})
    there.update({1: 10})  # now that one is dead: so are those calls
    assert {there.owner_of(request("INVITE", call_id=call_id), "") for call_id in ids} == {None}


def test_calls_begun_in_anothers_stead_are_remembered_up_to_a_bound() -> None:
    here = owners()
    here.update({0: 3})
    for n in range(5000):
        here.owner_of(request("INVITE", call_id=f"call-{n}"), "")
    here.owner_of(request("INVITE", call_id="x" * 1000), "")
    assert (len(here.begun), here.begun[-1]) == (4096, b"call-4999")
