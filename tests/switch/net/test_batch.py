"""The batched socket alone: order, addresses, sizes, errors."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from switchroom.protocols.sip import Flow
from switchroom.switch.net._batch import BatchSocket
from switchroom.switch.net.sockets import open_udp
from tests.peers.waiting import readable


class End:
    """One bound socket."""

    def __init__(self, host: str, cache_size: int = 8192) -> None:
        self.socket = open_udp(host, 0, 1 << 20)
        self.port = self.socket.getsockname()[1]
        self.host = host
        self.made = 0
        self.batch: BatchSocket[Flow] = BatchSocket(
            self.socket.fileno(), self.socket.family, host in ("0.0.0.0", "::"), self._flow, cache_size
        )

    def _flow(self, local_host: str | None, remote: tuple[str, int]) -> Flow:
        self.made += 1
        return Flow("UDP", (local_host or self.host, self.port), remote)

    def wait(self) -> None:
        assert readable([self.socket], 5.0)

    def receive(self, count: int) -> list[tuple[bytes, Flow]]:
        got: list[tuple[bytes, Flow]] = []
        while len(got) < count:
            self.wait()
            got += self.batch.receive()
        return got


@pytest.fixture
def ends() -> Iterator[list[End]]:
    opened: list[End] = []
    yield opened
    for end in opened:
        end.socket.close()


def open_end(ends: list[End], host: str, cache_size: int = 8192) -> End:
    ends.append(End(host, cache_size))
    return ends[-1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_order_is_kept_over_several_batches(ends: list[End], host: str) -> None:
    a, b = open_end(ends, host), open_end(ends, host)
    flow = Flow("UDP", (host, a.port), (host, b.port))
    sent = [(b"%d " % i + b"x" * i, flow) for i in range(200)]
    assert a.batch.send(sent) == 200
    received = b.receive(200)
    assert [data for data, _ in received] == [data for data, _ in sent]
    assert {flow for _, flow in received} == {Flow("UDP", (host, b.port), (host, a.port))}
    assert len({id(flow) for _, flow in received}) == 1
    assert b.made == 1  # the flow is made once


def test_a_batch_is_bounded(ends: list[End]) -> None:
    a, b = open_end(ends, "127.0.0.1"), open_end(ends, "127.0.0.1")
    a.batch.send([(b"x", Flow("UDP", ("127.0.0.1", a.port), ("127.0.0.1", b.port)))] * 100)
    assert [len(b.batch.receive()) for _ in range(3)] == [64, 36, 0]


@pytest.mark.parametrize("size", [0, 1, 1472, 65507])
def test_every_size_of_datagram_passes_whole(ends: list[End], size: int) -> None:
    a, b = open_end(ends, "127.0.0.1"), open_end(ends, "127.0.0.1")
    data = bytes(i * 7 % 256 for i in range(size))
    a.batch.send([(data, Flow("UDP", ("127.0.0.1", a.port), ("127.0.0.1", b.port)))])
    assert b.receive(1)[0][0] == data


@pytest.mark.parametrize("size", [65508, 70000])
def test_a_datagram_that_is_too_large_fails_and_the_others_go(ends: list[End], size: int) -> None:
    a, b = open_end(ends, "127.0.0.1"), open_end(ends, "127.0.0.1")
    flow = Flow("UDP", ("127.0.0.1", a.port), ("127.0.0.1", b.port))
    assert a.batch.send([(b"1", flow), (bytes(size), flow), (b"3", flow)]) == 3
    assert [data for data, _ in b.receive(2)] == [b"1", b"3"]
    assert a.batch.take_failures() == [(flow, "Message too long", None)]


@pytest.mark.parametrize(
    ("wildcard", "asked"), [("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "127.0.0.77"), ("::", "::1")]
)
def test_a_wildcard_socket_answers_from_the_address_that_was_asked(
    ends: list[End], wildcard: str, asked: str
) -> None:
    a, b = open_end(ends, wildcard), open_end(ends, asked)
    b.batch.send([(b"who?", Flow("UDP", (asked, b.port), (asked, a.port)))])
    [(_, flow)] = a.receive(1)
    assert flow == Flow("UDP", (asked, a.port), (asked, b.port))
    a.batch.send([(b"me", flow)])
    assert b.receive(1) == [(b"me", Flow("UDP", (asked, b.port), (asked, a.port)))]


def test_what_the_caches_forget_is_made_again(ends: list[End]) -> None:
    a = open_end(ends, "127.0.0.1", cache_size=4)
    others = [open_end(ends, f"127.0.0.{10 + i}") for i in range(20)]
    for _ in range(3):
        for other in others:
            other.batch.send([(b"x", Flow("UDP", (other.host, other.port), ("127.0.0.1", a.port)))])
        flows = [flow for _, flow in a.receive(20)]
        assert {flow.remote for flow in flows} == {(other.host, other.port) for other in others}
        assert a.batch.send([(flow.remote[0].encode(), flow) for flow in flows]) == 20
        assert [other.receive(1)[0][0] for other in others] == [other.host.encode() for other in others]
    assert a.made == 60  # four are remembered, twenty came in turn


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_icmp_error_names_its_destination_and_quotes(ends: list[End], host: str) -> None:
    a, b, gone = open_end(ends, host), open_end(ends, host), open_end(ends, host)
    gone.socket.close()
    dead = Flow("UDP", (host, a.port), (host, gone.port))
    alive = Flow("UDP", (host, a.port), (host, b.port))
    # The kernel reports the first error when the second datagram is sent: it is not that one's.
    for data, flow in [(b"one", dead), (b"two", alive), (b"three", alive)]:
        assert a.batch.send([(data, flow)]) == 1
    assert [data for data, _ in b.receive(2)] == [b"two", b"three"]
    assert a.batch.receive() == []
    assert a.batch.take_failures() == [(dead, "Connection refused", b"one")]
    assert a.batch.take_failures() == []


def test_an_error_that_is_read_does_not_cost_a_datagram(ends: list[End]) -> None:
    a, b, gone = (open_end(ends, "127.0.0.1") for _ in range(3))
    gone.socket.close()
    b.batch.send([(b"hello", Flow("UDP", ("127.0.0.1", b.port), ("127.0.0.1", a.port)))])
    a.batch.send([(b"x", Flow("UDP", ("127.0.0.1", a.port), ("127.0.0.1", gone.port)))])
    assert [data for data, _ in a.receive(1)] == [b"hello"]
    assert [reason for _, reason, _ in a.batch.take_failures()] == ["Connection refused"]


@pytest.mark.parametrize(
    "remote",
    [("::1", 5060), ("example.org", 5060), ("127.0.0.1", 0), ("127.0.0.1", 65536), ("", 1), ("\udc80", 5060)],
)
def test_a_flow_that_leads_nowhere_fails_alone(ends: list[End], remote: tuple[str, int]) -> None:
    a, b = open_end(ends, "127.0.0.1"), open_end(ends, "127.0.0.1")
    good, bad = (Flow("UDP", ("127.0.0.1", a.port), to) for to in (("127.0.0.1", b.port), remote))
    assert a.batch.send([(b"1", good), (b"2", bad), (b"3", good)]) == 3
    assert [data for data, _ in b.receive(2)] == [b"1", b"3"]
    assert a.batch.take_failures() == [(bad, "unreachable address", None)]


def test_what_the_kernel_refuses_at_once_fails_alone(ends: list[End]) -> None:
    a, b = open_end(ends, "127.0.0.1"), open_end(ends, "127.0.0.1")
    good = Flow("UDP", ("127.0.0.1", a.port), ("127.0.0.1", b.port))
    bad = good.replace(remote=("255.255.255.255", 9))  # broadcasting takes a socket option
    assert a.batch.send([(b"1", bad), (b"2", good), (b"3", bad)]) == 3
    assert [data for data, _ in b.receive(1)] == [b"2"]
    assert [(flow, quote) for flow, _, quote in a.batch.take_failures()] == [(bad, None)] * 2


def test_a_closed_socket_is_our_own_error(ends: list[End]) -> None:
    a = open_end(ends, "127.0.0.1")
    a.socket.close()
    flow = Flow("UDP", ("127.0.0.1", a.port), ("127.0.0.1", 9))
    with pytest.raises(OSError, match="Bad file descriptor"):
        a.batch.receive()
    with pytest.raises(OSError, match="Bad file descriptor"):
        a.batch.send([(b"x", flow)])


@pytest.mark.parametrize("item", [("text", None), (b"data",)])
def test_what_is_no_datagram_is_refused(ends: list[End], item: tuple[object, ...]) -> None:
    a = open_end(ends, "127.0.0.1")
    with pytest.raises((TypeError, IndexError)):
        a.batch.send([item])  # type: ignore[list-item]


def test_link_local_addresses_say_their_link(ends: list[End]) -> None:
    with open("/proc/net/if_inet6") as table:
        rows = [line.split() for line in table]
    found = next(((r[0], r[5]) for r in rows if r[0].startswith("fe80")), None)
    if found is None:
        pytest.skip("no interface has a link-local address")
    host = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(found[0])) + "%" + found[1]
    end = open_end(ends, host)
    other = open_end(ends, end.host)
    other.batch.send([(b"x", Flow("UDP", (other.host, other.port), (end.host, end.port)))])
    assert end.receive(1) == [(b"x", Flow("UDP", (end.host, end.port), (other.host, other.port)))]
    wildcard = open_end(ends, "::")
    other.batch.send([(b"y", Flow("UDP", (other.host, other.port), (end.host, wildcard.port)))])
    [(_, flow)] = wildcard.receive(1)
    assert flow == Flow("UDP", (end.host, wildcard.port), (other.host, other.port))
    wildcard.batch.send([(b"z", flow)])
    assert other.receive(1)[0][0] == b"z"
