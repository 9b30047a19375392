"""The face over UDP: order, addresses, limits, keep-alives, and destinations that are not there."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from switchroom.protocols import sip, stun
from switchroom.protocols.sip import Flow
from switchroom.switch.net import Addresses, NetLimits, NoListenerError
from switchroom.switch.net.limits import NetCounters
from switchroom.switch.net.tap import Tap
from switchroom.switch.net.udp import UdpListener

from .desk import TIMEOUT, Desk, Tcp, Udp, Walked, call_id_of, request

LOCAL = "udp:127.0.0.1:0"


async def test_requests_are_answered_in_order() -> None:
    async with Desk(LOCAL) as desk:
        with Udp() as phone:
            requests = [request() for _ in range(150)]
            for data in requests:
                phone.send(data, desk.address())
            answers = [sip.parse(await phone.receive()) for _ in requests]
    assert [answer.call_id for answer in answers] == [call_id_of(data) for data in requests]
    assert {answer.status for answer in answers} == {200}
    assert desk.face.counters.datagrams_in == desk.face.counters.datagrams_out == 150
    assert desk.face.counters.octets_in == sum(map(len, requests))


@pytest.mark.parametrize(("each", "statuses"), [(0.0, {200}), (0.05, {200, 503})])
async def test_a_burst_is_refused_when_it_is_too_much_and_not_because_of_a_pause(
    each: float, statuses: set[int]
) -> None:
    """Two seconds in which we did not run; requests that take 50 ms each."""
    clock = Walked()
    async with Desk(LOCAL, clock=clock) as desk:

        def answer(event: sip.RequestReceived, now: float) -> None:
            clock.at += each if desk.events[1:] else 2.0
            desk.answer(event, now)

        desk.on_request = answer
        with Udp() as phone:
            for _ in range(150):
                phone.send(request(), desk.address())
            found = {sip.parse(await phone.receive()).status for _ in range(150)}
    assert found == statuses


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        ("udp:0.0.0.0:0", "127.0.0.1"),
        ("udp:0.0.0.0:0", "127.0.0.9"),
        ("udp:[::]:0", "::1"),
        ("udp:[::1]:0", "::1"),
    ],
)
async def test_the_answer_comes_from_the_address_that_was_asked(listen: str, asked: str) -> None:
    async with Desk(listen) as desk:
        port = desk.address()[1]
        with Udp("::1" if ":" in asked else "127.0.0.1") as phone:
            phone.send(request(), (asked, port))
            data, source = await phone.receive_from()
            assert source == (asked, port)
            assert sip.parse(data).status == 200
        [event] = desk.events
        assert isinstance(event, sip.RequestReceived)
        assert event.flow == Flow("UDP", (asked, port), phone.address)


async def test_two_listeners_keep_their_answers_apart() -> None:
    async with Desk("udp:127.0.0.1:0", "udp:127.0.0.2:0", "udp:[::1]:0") as desk:
        assert [bound[:2] for bound in desk.face.bound] == [
            ("udp", "127.0.0.1"),
            ("udp", "127.0.0.2"),
            ("udp", "::1"),
        ]
        for i in range(3):
            with Udp(desk.address(i)[0]) as phone:
                phone.send(request(), desk.address(i))
                assert (await phone.receive_from())[1] == desk.address(i)


async def test_the_same_ends_give_the_same_flow_object() -> None:
    async with Desk(LOCAL) as desk:
        with Udp() as phone:
            for _ in range(3):
                phone.send(request(), desk.address())
                await phone.receive()
    flows = {id(event.flow) for event in desk.events if isinstance(event, sip.RequestReceived)}
    assert len(flows) == 1


async def test_a_full_port_is_reported_with_its_name() -> None:
    with Udp() as taken:
        port = taken.address[1]
        with pytest.raises(OSError, match=rf"udp:127\.0\.0\.1:{port}: Address already in use"):
            await Desk("udp:127.0.0.3:0", f"udp:127.0.0.1:{port}").face.start()


async def test_nothing_is_left_open_after_a_failed_start() -> None:
    with Udp() as taken, Udp("127.0.0.4") as probe:
        free = probe.address
        probe.socket.close()
        desk = Desk(
            f"udp:{free[0]}:{free[1]}", f"tcp:{free[0]}:{free[1]}", f"udp:127.0.0.1:{taken.address[1]}"
        )
        with pytest.raises(OSError, match="Address already in use"):
            await desk.face.start()
        assert desk.face.bound == []
        with Udp(*free):
            pass


# -- what does not arrive


async def test_a_port_where_nobody_listens_fails_the_transaction_and_tells_the_owner() -> None:
    async with Desk(LOCAL) as desk:
        with Udp() as gone:
            pass
        flow = desk.face.flow_to(*gone.address)
        asked = desk.ask(flow)
        await desk.until(lambda: desk.failed and desk.events)
        assert desk.failed == [(flow, "Connection refused")]
        assert desk.events == [sip.RequestFailed(asked, "transport")]
        # The socket goes on, though it has just carried an error.
        with Udp() as phone:
            phone.send(request(), desk.address())
            assert sip.parse(await phone.receive()).status == 200


async def test_an_icmp_error_that_anybody_could_have_sent_is_ignored() -> None:
    """A forger knows addresses and ports, but not the branch of what was sent."""
    failures: list[tuple[Flow, str]] = []
    heard, failed = asyncio.Event(), asyncio.Event()

    def on_failures(told: list[tuple[Flow, str]]) -> None:
        failures.extend(told)
        failed.set()

    counters = NetCounters()
    listener = UdpListener(
        "127.0.0.1",
        0,
        on_datagrams=lambda batch: heard.set(),
        on_failures=on_failures,
        limits=NetLimits(),
        counters=counters,
    )
    with Udp() as gone, Udp() as phone:
        gone.socket.close()
        flow = Flow("UDP", (listener.host, listener.port), gone.address)
        listener.start()
        # Sent through our socket by somebody else: the listener does not know these octets, so that a genuine
        # error about them looks exactly like a forged one.
        listener.socket.sendto(request(), gone.address)
        listener.outbox.append((b"OPTIONS sip:x SIP/2.0\r\nno Via", flow))  # and this has nothing to guess
        listener.flush()
        phone.send(b"wake up", (listener.host, listener.port))
        await asyncio.wait_for(heard.wait(), TIMEOUT)
        assert failures == []
        assert counters.dropped["icmp"] == 2
        listener.outbox.append((request(), flow))
        listener.flush()
        await asyncio.wait_for(failed.wait(), TIMEOUT)
        assert failures == [(flow, "Connection refused")]
        listener.close()


async def test_a_flow_without_a_listener_fails() -> None:
    async with Desk(LOCAL) as desk:
        flow = Flow("UDP", ("127.0.0.1", 1), ("127.0.0.1", 5060))
        desk.ask(flow)
        assert desk.failed == [(flow, "no listener")]


# -- which listener


async def test_flow_to_takes_the_listener_that_faces_the_host() -> None:
    async with Desk("udp:127.0.0.1:0", "udp:[::1]:0", "tcp:127.0.0.1:0") as desk:
        v4, v6, tcp = (desk.address(i) for i in range(3))
        assert desk.face.flow_to("127.0.0.9", 5070) == Flow("UDP", v4, ("127.0.0.9", 5070))
        assert desk.face.flow_to("::1", 5070) == Flow("UDP", v6, ("::1", 5070))
        assert desk.face.flow_to("127.0.0.1", 5070, "tcp") == Flow("TCP", tcp, ("127.0.0.1", 5070))
        assert desk.face.flow_to("::ffff:127.0.0.1", 5070) == Flow("UDP", v4, ("127.0.0.1", 5070))
        with pytest.raises(NoListenerError, match="no TCP listener"):
            desk.face.flow_to("::1", 5070, "TCP")
        for host, port in (("example.org", 5060), ("127.0.0.1", 0), ("127.0.0.1", 70000)):
            with pytest.raises(ValueError, match=r"example\.org|port"):
                desk.face.flow_to(host, port)


async def test_flow_to_names_the_address_that_the_host_will_see() -> None:
    async with Desk("udp:0.0.0.0:0") as desk:
        port = desk.address()[1]
        assert desk.face.flow_to("127.0.0.9", 5070) == Flow("UDP", ("127.0.0.1", port), ("127.0.0.9", 5070))


async def test_a_loopback_listener_does_not_face_the_world() -> None:
    async with Desk(LOCAL) as desk:
        try:
            Addresses().local_for("192.0.2.200")
        except OSError:
            pytest.skip("this machine has no route to anywhere")
        with pytest.raises(NoListenerError):
            desk.face.flow_to("192.0.2.200", 5060)


# -- limits


async def test_a_source_beyond_its_rate_is_dropped_and_others_are_served() -> None:
    async with Desk(LOCAL, limits=NetLimits(source_rate=1, source_burst=5)) as desk:
        with Udp() as flooder, Udp("127.0.0.2") as phone:
            for _ in range(20):
                flooder.send(request(), desk.address())
            phone.send(request(), desk.address())
            await phone.receive()
        assert desk.face.counters.dropped == {"source": 15}
        assert desk.endpoint.counters.requests_in["OPTIONS"] == 6


async def test_overload_is_answered_503_with_retry_after_and_no_state() -> None:
    limits = NetLimits(register_rate=2, retry_after=7)
    async with Desk(LOCAL, limits=limits) as desk:
        with Udp() as phone:
            for _ in range(3):
                phone.send(
                    request("REGISTER"),
                    desk.address(),
                )
            answers = [sip.parse(await phone.receive()) for _ in range(3)]
        refused = next(answer for answer in answers if answer.status == 503)
        assert refused.get("Retry-After") == "7"
        assert refused.to_tag
        assert refused.via.received == "127.0.0.1"
        assert desk.face.counters.dropped == {"overload": 1}
        assert len(desk.events) == 2


SHORT = b"\r\n".join(
    [
        b"MESSAGE a:b SIP/2.0",
        b"v:SIP/2.0/UDP a",
        b"f:a:b;tag=1",
        b"t:a:b",
        b"i:1",
        b"CSeq:1 MESSAGE",
        b"l:0",
        b"",
        b"",
    ]
)


@pytest.mark.parametrize(
    "data",
    [
        request("INVITE")[:60],  # malformed
        b"REGISTER sip:x SIP/2.0\r\n\r\n",
        SHORT,  # its 503 would be much larger than it is: no reflector
    ],
)
async def test_overload_answers_nothing_that_could_be_misused(data: bytes) -> None:
    async with Desk(LOCAL, limits=NetLimits(total_rate=0.001, total_burst=1, register_rate=0.001)) as desk:
        with Udp() as forged, Udp("127.0.0.2") as phone:
            phone.send(request(), desk.address())
            await phone.receive()
            forged.send(data, desk.address())
            forged.send(b"BYE sip:x SIP/2.0\r\n" + request("BYE").split(b"\r\n", 1)[1], desk.address())
            assert sip.parse(await forged.receive()).cseq.method == "BYE"  # nothing came before it
        assert desk.face.counters.dropped == {"overload": 1}


async def test_a_message_beyond_the_configured_size_gets_513() -> None:
    async with Desk(LOCAL, limits=NetLimits(max_message_size=2048)) as desk:
        with Udp() as phone:
            phone.send(request("MESSAGE", body=b"x" * 2048), desk.address())
            assert sip.parse(await phone.receive()).status == 513
            phone.send(request("MESSAGE", body=b"x" * 1024), desk.address())
            assert sip.parse(await phone.receive()).status == 200


async def test_new_limits_apply_to_what_comes_next() -> None:
    async with Desk(LOCAL) as desk:
        desk.face.apply(NetLimits(source_rate=1, source_burst=1))
        with Udp() as phone, Udp("127.0.0.2") as other:
            for _ in range(5):
                phone.send(request(), desk.address())
            other.send(request(), desk.address())
            await other.receive()
        assert desk.face.counters.dropped == {"source": 4}


# -- keep-alives


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0", b"    "])
async def test_line_ends_are_counted_and_not_answered(data: bytes) -> None:
    async with Desk(LOCAL) as desk:
        with Udp() as phone:
            phone.send(data, desk.address())
            phone.send(request(), desk.address())
            assert sip.parse(await phone.receive()).status == 200
        assert desk.face.counters.keep_alives == 1
        assert desk.endpoint.counters.parse_errors == 0


async def test_line_ends_before_a_message_do_not_hide_it() -> None:
    async with Desk(LOCAL) as desk:
        with Udp() as phone:
            phone.send(b"\r\n\r\n" + request(), desk.address())
            assert sip.parse(await phone.receive()).status == 200


def binding(padding: int = 0) -> bytes:
    attribute = struct.pack("!HH", 0x8022, padding - 4) + bytes(padding - 4) if padding else b""
    return struct.pack("!HHI", 1, len(attribute), 0x2112A442) + b"transaction!" + attribute


async def test_stun_is_answered_to_those_we_know_and_where_it_is_no_amplifier() -> None:
    async with Desk("udp:127.0.0.1:0", "udp:[::1]:0", is_trusted=lambda host: host == "127.0.0.7") as desk:
        with Udp("127.0.0.7") as known, Udp() as unknown, Udp("::1") as six:
            known.send(binding(), desk.address())
            assert stun.Message.parse(await known.receive()).mapped_address == known.address
            unknown.send(binding(), desk.address())
            unknown.send(binding(padding=12), desk.address())
            assert stun.Message.parse(await unknown.receive()).mapped_address == unknown.address
            six.send(binding(padding=24), desk.address(1))
            assert stun.Message.parse(await six.receive()).mapped_address == six.address
            unknown.send(binding()[:19] + b"!" + struct.pack("!HH", 0x8022, 99), desk.address())  # malformed
            unknown.send(
                struct.pack("!HHI", 0x11, 0, 0x2112A442) + b"transaction!", desk.address()
            )  # indication
            unknown.send(request(), desk.address())
            assert sip.parse(await unknown.receive()).status == 200
        assert desk.face.counters.keep_alives == 6
        assert desk.endpoint.counters.parse_errors == 0


async def test_a_stun_attribute_that_must_be_understood_and_is_not_gets_420_if_that_is_no_amplifier() -> None:
    async with Desk(LOCAL) as desk:
        with Udp() as phone:
            data = (
                struct.pack("!HHI", 1, 64, 0x2112A442)
                + b"transaction!"
                + struct.pack("!HH", 0x0024, 60)
                + bytes(60)
            )
            phone.send(data, desk.address())
            answer = stun.Message.parse(await phone.receive())
            assert answer.message_class is stun.MessageClass.ERROR


# -- what somebody wants to see


class _Seen(Tap):
    def __init__(self, shown: list[tuple[str, bytes, Flow]]) -> None:
        self._shown = shown

    def came(self, data: bytes, flow: Flow, now: float) -> None:
        self._shown.append(("in", data, flow))

    def left(self, messages: list[tuple[bytes, Flow]], now: float) -> None:
        self._shown += [("out", data, flow) for data, flow in messages]


class _Broken(Tap):
    def came(self, data: bytes, flow: Flow, now: float) -> None:
        raise ValueError

    def left(self, messages: list[tuple[bytes, Flow]], now: float) -> None:
        raise ValueError


async def test_messages_are_shown_to_who_asks_and_a_fault_of_his_costs_nothing() -> None:
    shown: list[tuple[str, bytes, Flow]] = []
    async with Desk(LOCAL, "tcp:127.0.0.1:0", limits=NetLimits(source_burst=2, source_rate=0.001)) as desk:
        desk.face.tap = _Seen(shown)
        with Udp() as phone:
            ask = request()
            phone.send(ask, desk.address())
            answer, flow = await phone.receive(), Flow("UDP", desk.address(), phone.address)
            assert shown == [("in", ask, flow), ("out", answer, flow)]
            async with await Tcp.open(desk.address(1)) as stream:
                stream.send(ask := request(via="TCP 192.0.2.99:5060"))
                answer = await stream.receive()
            assert [told[:2] for told in shown[2:]] == [("in", ask), ("out", answer)]
            phone.send(request(), desk.address())  # beyond the rate: floods are not shown
            with Udp("127.0.0.2") as other:
                desk.face.tap = _Broken()
                other.send(request(), desk.address())
                assert sip.parse(await other.receive()).status == 200
        assert len(shown) == 4
        assert desk.face.counters.faults == 2


# -- the loop goes on


async def test_an_exception_of_the_owner_costs_one_message_answered_500() -> None:
    async with Desk(LOCAL) as desk:

        def stumble(event: sip.RequestReceived, now: float) -> None:
            if event.request.method == "MESSAGE":
                raise KeyError("a fault of ours")
            desk.answer(event, now)

        desk.on_request = stumble
        with Udp() as phone:
            for method in ("OPTIONS", "MESSAGE", "OPTIONS"):
                phone.send(request(method), desk.address())
            answers = [sip.parse(await phone.receive()).status for _ in range(3)]
        assert answers == [200, 500, 200]
        assert desk.face.counters.faults == 1
        assert desk.log.lines == [("net.fault", {"unlogged": 0})]


async def test_a_flood_of_faults_does_not_flood_the_log() -> None:
    async with Desk(LOCAL) as desk:

        def stumble(event: sip.RequestReceived, now: float) -> None:
            raise KeyError("a fault of ours")

        desk.on_request = stumble
        with Udp() as phone:
            for _ in range(300):
                phone.send(request(), desk.address())
            for _ in range(300):
                await phone.receive()
        assert desk.face.counters.faults == 300
        assert 10 <= len(desk.log.lines) <= 15


async def test_flush_within_an_event_waits_for_the_end_of_the_pass() -> None:
    async with Desk(LOCAL) as desk:
        sent: list[int] = []

        def answer(event: sip.RequestReceived, now: float) -> None:
            desk.answer(event, now)
            desk.face.flush()
            sent.append(desk.face.counters.datagrams_out)

        desk.on_request = answer
        with Udp() as phone:
            phone.send(request(), desk.address())
            await phone.receive()
        assert sent == [0]


async def test_timers_are_kept_for_the_endpoint_and_for_other_owners() -> None:
    class Alarm:
        def __init__(self) -> None:
            self.at: float | None = None
            self.rang = asyncio.Event()

        def next_timer(self) -> float | None:
            return self.at

        def handle_timer(self, now: float) -> None:
            assert self.at is not None
            assert now >= self.at
            self.at = None
            self.rang.set()

    alarms = [Alarm(), Alarm()]
    async with Desk(LOCAL, timers=alarms) as desk:
        now = desk.face._clock.now()
        alarms[0].at = now + 60.0
        desk.face.flush()
        alarms[1].at = now + 0.02  # nearer than what is armed
        desk.face.flush()
        await asyncio.wait_for(alarms[1].rang.wait(), 5)
        assert not alarms[0].rang.is_set()
        with Udp() as phone:  # a request that nobody answers is sent again: the endpoint's own timer
            desk.endpoint.timers = sip.Timers(t1=0.02)
            flow = desk.face.flow_to(*phone.address)
            desk.ask(flow)
            first = await phone.receive()
            assert await phone.receive() == first


async def test_after_stop_the_ports_are_free_and_flush_does_nothing() -> None:
    desk = Desk(LOCAL, "tcp:127.0.0.1:0")
    await desk.face.start()
    udp, tcp = desk.address(0), desk.address(1)
    await desk.face.stop()
    desk.face.flush()
    with Udp(*udp), socket.create_server(tcp):
        pass


async def test_the_kernels_drops_are_seen() -> None:
    async with Desk(LOCAL, limits=NetLimits(receive_buffer_size=4096)) as desk:
        with Udp() as phone:
            for _ in range(100):  # the loop does not read meanwhile
                phone.send(request(body=b"x" * 1000), desk.address())
            await phone.receive()
        assert desk.face.kernel_drops + desk.face.counters.datagrams_in == 100
        assert desk.face.kernel_drops > 50
