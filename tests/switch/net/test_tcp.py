"""The face over TCP: framing, limits on connections and on time, and connections that end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import time

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip import Flow
from switchroom.switch.net import NetLimits

from .desk import TIMEOUT, Desk, Tcp, Udp, Walked, call_id_of, request

LISTEN = "tcp:127.0.0.1:0"
VIA = "TCP 192.0.2.99:5060"


def tcp_request(method: str = "OPTIONS", **more: str) -> bytes:
    return request(method, via=VIA, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("listen", [LISTEN, "tcp:[::1]:0", "tcp:0.0.0.0:0"])
async def test_requests_are_answered_on_their_connection(listen: str) -> None:
    async with Desk(listen) as desk:
        host, port = desk.address()
        host = "127.0.0.5" if host == "0.0.0.0" else host
        async with await Tcp.open((host, port)) as phone:
            requests = [tcp_request() for _ in range(100)]
            phone.send(b"".join(requests))
            answers = [sip.parse(await phone.receive()) for _ in requests]
            remote = phone.writer.get_extra_info("sockname")[:2]
        assert [answer.call_id for answer in answers] == [call_id_of(data) for data in requests]
        assert {answer.status for answer in answers} == {200}
        flows = {event.flow for event in desk.events if isinstance(event, sip.RequestReceived)}
        assert flows == {Flow("TCP", (host, port), remote, 1)}
        await desk.until(lambda: desk.failed)
        assert desk.failed == [(flows.pop(), "remote")] or desk.failed[0][1] == "reset"
        assert desk.face.counters.connections == 0


async def test_a_message_may_come_octet_by_octet() -> None:
    async with Desk(LISTEN) as desk, await Tcp.open(desk.address()) as phone:
        phone.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in request("MESSAGE", via=VIA, body=b"hello"):
            phone.send(bytes([octet]))
            await asyncio.sleep(0)
        assert sip.parse(await phone.receive()).status == 200


async def test_one_connection_does_not_hold_up_the_others() -> None:
    """Hundreds of messages in one read are handed on a part at a time."""
    async with Desk(LISTEN, limits=NetLimits(source_burst=10_000)) as desk:
        order: list[str] = []

        def note(event: sip.RequestReceived, now: float) -> None:
            order.append(event.request.method)
            desk.answer(event, now)

        desk.on_request = note
        async with await Tcp.open(desk.address()) as greedy, await Tcp.open(desk.address()) as modest:
            await asyncio.gather(greedy.writer.drain(), modest.writer.drain())
            greedy.send(b"".join(tcp_request("MESSAGE") for _ in range(150)))
            modest.send(tcp_request())
            await modest.receive()
            for _ in range(150):
                await greedy.receive()
        assert order.index("OPTIONS") < 130


@pytest.mark.parametrize(("pings", "pongs"), [(1, 1), (3, 3), (1000, 8)])
async def test_keep_alives_are_answered(pings: int, pongs: int) -> None:
    async with Desk(LISTEN) as desk:
        async with await Tcp.open(desk.address()) as phone:
            phone.send(b"\r\n\r\n" * pings + tcp_request())
            data = b""
            async with asyncio.timeout(TIMEOUT):
                while b"SIP/2.0 200" not in data:
                    data += await phone.reader.read(65536)
        assert data.startswith(b"\r\n" * pongs + b"SIP/2.0 200")
        assert desk.face.counters.keep_alives == pings


# -- what is malformed


SMUGGLED = tcp_request("REGISTER")
TWO_LENGTHS = tcp_request().replace(
    b"Content-Length: 0", b"Content-Length: 0\r\nContent-Length: %d" % len(SMUGGLED)
)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (TWO_LENGTHS + SMUGGLED, 400),
        (tcp_request().replace(b"Content-Length: 0\r\n", b""), 400),
        (tcp_request().replace(b"Content-Length: 0", b"Content-Length: -1"), 400),
        (tcp_request().replace(b"Content-Length: 0", b"Content-Length: 99999999999999999999"), 413),
        (tcp_request().replace(b"Content-Length: 0", b"l: 0\r\nContent-Length : 5"), 400),
        (tcp_request().replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1), 505),
    ],
)
async def test_a_message_that_cannot_be_framed_is_answered_and_the_connection_closed(
    data: bytes, status: int
) -> None:
    async with Desk(LISTEN) as desk:
        async with await Tcp.open(desk.address()) as phone:
            good = tcp_request()
            phone.send(good + data + tcp_request("REGISTER"))
            first, second = sip.parse(await phone.receive()), sip.parse(await phone.receive())
            assert (first.status, first.call_id) == (200, call_id_of(good))
            assert second.status == status
            assert await asyncio.wait_for(phone.reader.read(-1), TIMEOUT) == b""  # closed, not reset
        await desk.until(lambda: desk.failed)
        assert desk.failed[0][1] == "malformed"
        assert desk.endpoint.counters.parse_errors == 1
        methods = [event.request.method for event in desk.events if isinstance(event, sip.RequestReceived)]
        assert methods == ["OPTIONS"]  # what was smuggled, or sent behind it, was not read


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]
)
async def test_what_is_not_sip_is_closed(data: bytes) -> None:
    async with Desk(LISTEN) as desk:
        async with await Tcp.open(desk.address()) as phone:
            phone.send(data)
            assert await phone.closed() == b""
        await desk.until(lambda: desk.failed)
        assert desk.failed[0][1] == "malformed"


async def test_a_refused_client_that_neither_reads_nor_closes_is_cut_off() -> None:
    async with Desk(LISTEN, limits=NetLimits(message_timeout=0.4)) as desk:
        with socket.create_connection(desk.address()) as rude:
            rude.sendall(TWO_LENGTHS)
            await desk.until(lambda: desk.failed)
            assert desk.face.counters.closed == {"malformed": 1}


async def test_a_refused_client_that_goes_on_sending_still_reads_why() -> None:
    async with Desk(LISTEN) as desk, await Tcp.open(desk.address()) as phone:
        phone.send(TWO_LENGTHS + b"x" * 1_000_000)  # closing with octets unread would destroy the answer
        assert sip.parse(await phone.receive()).status == 400
        assert await asyncio.wait_for(phone.reader.read(-1), TIMEOUT) == b""


async def test_an_error_inside_a_message_that_is_framed_well_keeps_the_connection() -> None:
    async with Desk(LISTEN) as desk, await Tcp.open(desk.address()) as phone:
        phone.send(tcp_request().replace(b"CSeq: ", b"CSeq: x") + tcp_request())
        assert [sip.parse(await phone.receive()).status for _ in range(2)] == [400, 200]


# -- time


async def test_a_dribbler_is_closed_32_seconds_after_the_first_octet() -> None:
    clock = Walked()
    async with Desk(LISTEN, clock=clock) as desk, await Tcp.open(desk.address()) as slow:
        message = tcp_request(Subject="x" * 2000)
        clock.at += 20  # the time is that of the message, not of the connection
        for i in range(31):
            slow.send(
                message[i : i + 1] if i else b"\r\n\r\n" + message[:1]
            )  # the pong tells that it is there
            if i == 0:
                assert await slow.reader.readexactly(2) == b"\r\n"
            else:
                await asyncio.sleep(0)
            desk.walk(clock, 1.0)
        assert desk.face.counters.connections == 1
        desk.walk(clock, 1.0)
        await slow.closed()
        await desk.until(lambda: desk.failed)
        assert desk.failed[0][1] == "message_timeout"
        assert desk.face.counters.connections == 0


async def test_the_face_looks_at_its_connections_by_itself() -> None:
    async with Desk(LISTEN, limits=NetLimits(message_timeout=0.2)) as desk:
        async with await Tcp.open(desk.address()) as slow:
            slow.send(b"OPTIONS")
            await slow.closed()
        assert desk.face.counters.closed == {"message_timeout": 1}


async def test_whole_messages_each_have_their_own_time() -> None:
    """A client that is always in the middle of a message but completes each in time is served."""
    clock = Walked()
    async with Desk(LISTEN, clock=clock) as desk, await Tcp.open(desk.address()) as phone:
        messages = [tcp_request() for _ in range(5)]
        phone.send(messages[0][:20])
        for one, other in itertools.pairwise(messages):
            phone.send(one[20:] + other[:20])
            await phone.receive()
            desk.walk(clock, 31.0)
        assert desk.face.counters.connections == 1
        desk.walk(clock, 1.0)
        await desk.until(lambda: desk.failed)
        assert desk.failed[0][1] == "message_timeout"


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\r\n"])
async def test_a_connection_that_is_never_used_is_closed(data: bytes) -> None:
    clock = Walked()
    async with (
        Desk(LISTEN, clock=clock) as desk,
        await Tcp.open(desk.address()) as idle,
        await Tcp.open(desk.address()) as used,
    ):
        used.send(tcp_request())
        await used.receive()
        for _ in range(31):
            idle.send(data)
            await asyncio.sleep(0)
            desk.walk(clock, 1.0)
        assert desk.face.counters.connections == 2
        desk.walk(clock, 1.0)
        await desk.until(lambda: desk.failed)
        assert desk.face.counters.closed == {"unused": 1}
        assert desk.face.counters.connections == 1


async def test_a_used_connection_may_be_idle_for_two_hours() -> None:
    clock = Walked()
    async with Desk(LISTEN, clock=clock) as desk, await Tcp.open(desk.address()) as phone:
        phone.send(tcp_request())
        await phone.receive()
        desk.walk(clock, 7000)
        phone.send(b"\r\n\r\n")
        assert await phone.reader.readexactly(2) == b"\r\n"
        desk.walk(clock, 7199)
        assert desk.face.counters.connections == 1
        desk.walk(clock, 1)
        await desk.until(lambda: desk.failed)
        assert desk.failed[0][1] == "idle_timeout"


async def test_udp_and_new_connections_are_served_while_dribblers_hold_theirs() -> None:
    async with Desk(LISTEN, "udp:127.0.0.1:0") as desk, contextlib.AsyncExitStack() as stack:
        for i in range(200):
            slow = await stack.enter_async_context(await Tcp.open(desk.address(), f"127.0.0.{2 + i % 5}"))
            slow.send(b"OPTIONS sip:x SIP/2.0\r\nSubject: ")
        with Udp() as phone:
            phone.send(request(), desk.address(1))
            started = time.monotonic()
            assert sip.parse(await phone.receive()).status == 200
            assert time.monotonic() - started < 0.2
        async with await Tcp.open(desk.address(), "127.0.0.9") as new:
            new.send(tcp_request())
            assert sip.parse(await new.receive()).status == 200


# -- numbers


async def test_one_source_may_have_so_many_connections() -> None:
    async with Desk(LISTEN, limits=NetLimits(max_connections_per_source=3)) as desk:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(await Tcp.open(desk.address()))
            assert await Tcp.is_refused(desk.address())
            other = await stack.enter_async_context(await Tcp.open(desk.address(), "127.0.0.2"))
            other.send(tcp_request())
            assert sip.parse(await other.receive()).status == 200
            assert desk.face.counters.refused == {"source": 1}
        await desk.until(lambda: desk.face.counters.connections == 0)
        async with await Tcp.open(desk.address()) as again:  # the places are free again
            again.send(tcp_request())
            assert sip.parse(await again.receive()).status == 200


async def test_trusted_sources_have_more_places_and_a_reserve() -> None:
    limits = NetLimits(max_connections=6, reserved_connections=1, max_connections_per_source=2)
    async with (
        Desk(LISTEN, limits=limits, is_trusted=lambda host: host == "127.0.0.7") as desk,
        contextlib.AsyncExitStack() as stack,
    ):
        for i in range(5):  # strangers fill what is theirs
            await stack.enter_async_context(await Tcp.open(desk.address(), f"127.0.0.{10 + i}"))
        assert await Tcp.is_refused(desk.address(), "127.0.0.30")
        trusted = await stack.enter_async_context(await Tcp.open(desk.address(), "127.0.0.7"))
        trusted.send(tcp_request())
        assert sip.parse(await trusted.receive()).status == 200
        assert await Tcp.is_refused(desk.address(), "127.0.0.7")
        assert desk.face.counters.refused == {"total": 2}


async def test_a_stranger_that_has_been_idle_makes_room() -> None:
    clock = Walked()
    limits = NetLimits(max_connections=4, reserved_connections=0)
    trusted = {"is_trusted": lambda host: host == "127.0.0.7", "clock": clock}
    async with Desk(LISTEN, limits=limits, **trusted) as desk, contextlib.AsyncExitStack() as stack:
        phones = []
        for source in ("127.0.0.7", "127.0.0.2", "127.0.0.3", "127.0.0.4"):
            phone = await stack.enter_async_context(await Tcp.open(desk.address(), source))
            phone.send(tcp_request())  # used, so that they may be idle for long
            await phone.receive()
            phones.append(phone)
            clock.at += 1
        clock.at += 29
        assert await Tcp.is_refused(desk.address(), "127.0.0.5")  # nobody has been idle for long enough
        clock.at += 5
        new = await stack.enter_async_context(await Tcp.open(desk.address(), "127.0.0.5"))
        new.send(tcp_request())
        assert sip.parse(await new.receive()).status == 200
        await phones[1].closed()  # the stranger that was idle the longest
        phones[0].send(tcp_request())
        assert sip.parse(await phones[0].receive()).status == 200
        assert desk.face.counters.closed == {"room": 1}


async def test_a_source_beyond_its_rate_is_slowed_down_and_loses_nothing() -> None:
    async with Desk(LISTEN, limits=NetLimits(source_rate=100, source_burst=10)) as desk:
        async with await Tcp.open(desk.address()) as phone:
            started = time.monotonic()
            phone.send(b"".join(tcp_request() for _ in range(40)))
            for _ in range(40):
                assert sip.parse(await phone.receive()).status == 200
            assert time.monotonic() - started > 0.25
        assert desk.face.counters.dropped == {}


async def test_overload_is_refused_on_streams_too() -> None:
    async with (
        Desk(LISTEN, limits=NetLimits(total_rate=0.001, total_burst=1)) as desk,
        await Tcp.open(desk.address()) as phone,
    ):
        phone.send(tcp_request() + tcp_request())
        answers = [sip.parse(await phone.receive()) for _ in range(2)]
        assert sorted(answer.status for answer in answers) == [200, 503]


async def test_who_does_not_read_loses_the_connection() -> None:
    async with Desk(LISTEN, limits=NetLimits(write_buffer_size=20_000, source_burst=100_000)) as desk:
        with socket.socket() as rude:
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            rude.connect(desk.address())
            rude.setblocking(False)
            loop = asyncio.get_running_loop()

            async def flood() -> None:
                with contextlib.suppress(ConnectionError):
                    while True:
                        await loop.sock_sendall(rude, tcp_request(Subject="x" * 1000) * 10)

            flooding = asyncio.create_task(flood())
            await desk.until(lambda: desk.failed)
            flooding.cancel()
        assert desk.failed[0][1] == "write_buffer"


# -- connections that we open


async def serve(answers: int) -> tuple[asyncio.Server, list[bytes], asyncio.Event]:
    """A far end that answers so many requests on each connection, then closes it."""
    heard: list[bytes] = []
    closed = asyncio.Event()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        phone = Tcp(reader, writer)
        with contextlib.suppress(ConnectionError):
            for _ in range(answers):
                message = sip.parse(await phone.receive())
                assert isinstance(message, sip.Request)
                heard.append(bytes(message))
                phone.send(bytes(message.response(200, to_tag="two")))
            await writer.drain()
        writer.close()
        closed.set()

    return await asyncio.start_server(on_connection, "127.0.0.1", 0), heard, closed


async def test_a_request_opens_a_connection_and_the_next_uses_it() -> None:
    server, heard, _ = await serve(3)
    async with server, Desk(LISTEN, "udp:127.0.0.1:0") as desk:
        flow = desk.face.flow_to(*server.sockets[0].getsockname(), "TCP")
        assert flow == Flow("TCP", desk.address(), server.sockets[0].getsockname(), 0)
        for count in (2, 4):
            for _ in range(2):
                desk.ask(flow)
            await desk.until(lambda count=count: len(desk.events) == count)  # type: ignore[misc]
        kinds = [type(event) for event in desk.events]
        assert kinds == [sip.ResponseReceived] * 3 + [sip.RequestFailed]  # the far end closed after three
        assert len(heard) == 3
        assert desk.face.counters.connections_opened == 1
        assert [failed.replace(connection=0) for failed, _ in desk.failed] == [flow]


async def test_a_request_too_large_for_udp_goes_by_tcp() -> None:
    server, heard, _ = await serve(1)
    async with server, Desk("udp:127.0.0.1:0", LISTEN) as desk:
        flow = desk.face.flow_to(*server.sockets[0].getsockname(), "UDP")
        desk.ask(flow, "MESSAGE", b"x" * 1400)
        await desk.until(lambda: desk.events)
        assert isinstance(desk.events[0], sip.ResponseReceived)
        assert b"SIP/2.0/TCP" in heard[0]


async def test_a_connection_that_a_phone_opened_serves_requests_to_it() -> None:
    async with Desk(LISTEN) as desk:
        async with await Tcp.open(desk.address()) as phone:
            phone.send(tcp_request())
            await phone.receive()
            remote = phone.writer.get_extra_info("sockname")
            flow = desk.face.flow_to(*remote, "TCP")
            desk.ask(flow, "NOTIFY")
            assert sip.parse(await phone.receive()).method == "NOTIFY"
        assert desk.face.counters.connections_opened == 0


async def test_a_refused_connection_fails_the_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        remote = gone.getsockname()
    async with Desk(LISTEN) as desk:
        flow = desk.face.flow_to(*remote, "TCP")
        asked = desk.ask(flow)
        await desk.until(lambda: desk.events)
        assert desk.events == [sip.RequestFailed(asked, "transport")]
        assert [reason for _, reason in desk.failed] == ["connect: Connection refused"]
        assert desk.face.counters.connections == 0


async def test_a_connection_that_does_not_come_about_in_time_fails_the_request() -> None:
    with socket.socket() as full:  # a listener whose queue is full answers nothing at all
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    filler.connect(full.getsockname())
            async with Desk(LISTEN, limits=NetLimits(connect_timeout=0.2)) as desk:
                flow = desk.face.flow_to(*full.getsockname(), "TCP")
                desk.ask(flow)
                await desk.until(lambda: desk.failed)
                assert desk.failed[0][1] == "connect_timeout"


async def test_beyond_the_total_no_connection_is_opened() -> None:
    server, _, _ = await serve(1)
    limits = NetLimits(max_connections=1, reserved_connections=0)
    async with server, Desk(LISTEN, limits=limits) as desk, await Tcp.open(desk.address()) as phone:
        phone.send(tcp_request())
        await phone.receive()
        flow = desk.face.flow_to(*server.sockets[0].getsockname(), "TCP")
        desk.ask(flow)
        assert desk.failed == [(flow, "closed")]


# -- ends


async def test_a_reset_in_the_middle_of_a_message_fails_the_flow_and_nothing_else() -> None:
    async with Desk(LISTEN) as desk, await Tcp.open(desk.address()) as other:
        rude = socket.create_connection(desk.address())
        rude.sendall(tcp_request() + tcp_request()[:50])
        await desk.until(lambda: desk.events)
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        rude.close()
        await desk.until(lambda: desk.failed)
        assert desk.failed[0][1] == "reset"
        other.send(tcp_request())
        assert sip.parse(await other.receive()).status == 200
        assert desk.face.counters.connections == 1


async def test_an_invite_whose_connection_closes_leaves_no_transaction() -> None:
    async with Desk(LISTEN) as desk:

        def accept(event: sip.RequestReceived, now: float) -> None:
            desk.endpoint.accept(event, now, contact="<sip:switch@127.0.0.1>")

        desk.on_request = accept
        for _ in range(20):
            phone = await Tcp.open(desk.address())
            phone.send(tcp_request("INVITE", Contact="<sip:a@192.0.2.99;transport=tcp>"))
            assert sip.parse(await phone.receive()).status == 100
            phone.writer.transport.abort()
        await desk.until(lambda: len(desk.failed) == 20)
        ended = [event for event in desk.events if isinstance(event, sip.SessionEnded)]
        assert [event.cause for event in ended] == ["transport"] * 20
        assert desk.endpoint.counters.sessions == 0


async def test_an_answer_to_a_closed_connection_fails_its_flow() -> None:
    async with Desk(LISTEN) as desk:
        waiting: list[sip.RequestReceived] = []
        desk.on_request = lambda event, now: waiting.append(event)
        async with await Tcp.open(desk.address()) as phone:
            phone.send(tcp_request())
            await desk.until(lambda: waiting)
        await desk.until(lambda: desk.failed)
        desk.failed.clear()
        desk.answer(waiting[0], 0.0)
        desk.face.flush()
        assert desk.failed == [(waiting[0].flow, "closed")]


async def test_stop_sends_what_is_written_and_closes() -> None:
    desk = Desk(LISTEN)
    await desk.face.start()
    async with await Tcp.open(desk.address()) as phone:
        phone.send(tcp_request())
        await desk.until(lambda: desk.events)
        await desk.face.stop()
        assert sip.parse(await phone.receive()).status == 200
        assert await phone.closed() == b""
    with pytest.raises(ConnectionRefusedError):
        await Tcp.open(desk.face._connections and ("127.0.0.1", phone.writer.get_extra_info("peername")[1]))
