"""The bus between workers, and whose a message is."""

from __future__ import annotations

import asyncio

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.flow import Flow
from switchroom.switch.net import bus as bus_module
from switchroom.switch.net.bus import Bus, Frame, Kind, Line, make_pair, pack_flow, unpack_flow
from switchroom.switch.net.owners import Owners

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
