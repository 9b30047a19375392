"""Looking up names at a real name server on loopback: caching, failing, never keeping a call waiting."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import dns.rcode
import pytest

from switchroom.protocols.sip import Uri
from switchroom.protocols.sip.locating import Hop, Means
from switchroom.switch.config.dns import DnsConfig
from switchroom.switch.net import Clock
from switchroom.switch.net.resolver import Resolver
from tests.peers.dns import NameServer, name_server
from tests.peers.ports import free_port

PBX = (
    'example. 60 IN NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.example.',
    'example. 60 IN NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.example.',
    "_sip._tcp.example. 60 IN SRV 1 1 5070 one.example.",
    "_sip._udp.example. 60 IN SRV 1 1 5060 one.example.",
    "_sip._udp.example. 60 IN SRV 2 1 5062 two.example.",
    "one.example. 60 IN A 192.0.2.1",
    "one.example. 60 IN AAAA 2001:db8::1",
    "two.example. 60 IN A 192.0.2.2",
)


class Wrist:
    """A watch whose hands the test can turn."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.clock = Clock(lambda: time.monotonic() + self.ahead, lambda: time.time() + self.ahead)


@asynccontextmanager
async def resolver_of(
    *servers: NameServer | str,
    watch: Wrist | None = None,
    chance: Callable[[], float] = lambda: 0.0,
    **keys: object,
) -> AsyncIterator[Resolver]:
    config = DnsConfig(
        nameservers=[s if isinstance(s, str) else s.address for s in servers],
        **({"budget": 2.0, "min_ttl": 0} | keys),
    )
    resolver = Resolver(
        config,
        clock=(watch or Wrist()).clock,
        chance=chance,
        hosts=Path("/nowhere"),
        resolv_conf=Path("/nowhere"),
    )
    await resolver.start()
    try:
        yield resolver
    finally:
        await resolver.stop()


async def locate(
    resolver: Resolver, host: str | Uri, port: int | None = None, transport: str | None = None
) -> list[Hop]:
    found: asyncio.Future[list[Hop]] = asyncio.get_running_loop().create_future()
    resolver.locate(host, port, transport, False, lambda hops, now: found.set_result(hops))
    return await asyncio.wait_for(found, 5)


async def test_naptr_srv_and_addresses() -> None:
    async with name_server(*PBX) as server, resolver_of(server) as resolver:
        hops = await locate(resolver, Uri.parse("sip:1001@Example"))
        assert [(hop.transport, hop.host, hop.port) for hop in hops] == [
            ("TCP", "192.0.2.1", 5070),
            ("TCP", "2001:db8::1", 5070),
            ("UDP", "192.0.2.1", 5060),
            ("UDP", "2001:db8::1", 5060),
            ("UDP", "192.0.2.2", 5062),
        ]
        assert len(server.asked) == len(set(server.asked)) == 7
        assert await locate(resolver, "example") == hops
        assert resolver.known("example") == hops
        assert len(server.asked) == 7  # from the cache


async def test_an_address_needs_nobody_and_is_told_at_once() -> None:
    async with resolver_of() as resolver:
        told: list[list[Hop]] = []
        resolver.locate("192.0.2.1", None, "UDP", False, lambda hops, now: told.append(hops))
        assert told == [[Hop("UDP", "192.0.2.1", 5060)]]
        assert resolver.known("[::1]", 5080) == [Hop("UDP", "::1", 5080)]
        assert resolver.known("name.example") is None  # and no server to ask: nothing happens
        assert await locate(resolver, "name.example") == []


async def test_weights_spread_the_load() -> None:
    lines = [f"_sip._udp.w.example. 60 IN SRV 1 {weight} 5060 w{weight}.example." for weight in (10, 30, 60)]
    lines += [f"w{weight}.example. 60 IN A 192.0.2.{weight}" for weight in (10, 30, 60)]
    numbers = iter(i / 1000 for i in range(2000))
    async with name_server(*lines) as server, resolver_of(server, chance=lambda: next(numbers)) as resolver:
        await locate(resolver, "w.example", None, "UDP")
        first: Counter[str] = Counter()
        for _ in range(990):
            hops = resolver.known("w.example", None, "UDP")
            assert hops is not None
            assert len(hops) == 3
            first[hops[0].host] += 1
        assert 560 < first["192.0.2.60"] < 620
        assert 270 < first["192.0.2.30"] < 330


async def test_answers_expire() -> None:
    watch = Wrist()
    async with (
        name_server("a.example. 30 IN A 192.0.2.1") as server,
        resolver_of(server, watch=watch) as resolver,
    ):
        assert [hop.host for hop in await locate(resolver, "a.example", 5060)] == ["192.0.2.1"]
        server.forget()
        server.add("a.example. 30 IN A 192.0.2.2")
        watch.ahead = 29.0
        assert [hop.host for hop in await locate(resolver, "a.example", 5060)] == ["192.0.2.1"]
        watch.ahead = 31.0
        known = resolver.known("a.example", 5060)  # never waits: the old, and asks
        assert known is not None
        assert known[0].host == "192.0.2.1"
        assert [hop.host for hop in await locate(resolver, "a.example", 5060)] == ["192.0.2.2"]


async def test_ttl_has_bounds() -> None:
    watch = Wrist()
    async with (
        name_server("long.example. 999999999 IN A 192.0.2.1", "zero.example. 0 IN A 192.0.2.2") as server,
        resolver_of(server, watch=watch, min_ttl=5, max_ttl=100) as resolver,
    ):
        await locate(resolver, "long.example", 1)
        await locate(resolver, "zero.example", 1)
        watch.ahead = 4.0
        count = len(server.asked)
        await locate(resolver, "zero.example", 1)
        assert len(server.asked) == count
        watch.ahead = 101.0
        await locate(resolver, "long.example", 1)
        assert len(server.asked) == count + 2


async def test_nothing_is_remembered_as_long_as_the_soa_says() -> None:
    watch = Wrist()
    async with name_server() as server, resolver_of(server, watch=watch) as resolver:
        server.soa = "example. 3600 IN SOA ns.example. root.example. 1 3600 600 86400 20"
        assert await locate(resolver, "none.example", 5060) == []
        assert await locate(resolver, "none.example", 5060) == []
        assert resolver.known("none.example", 5060) == []  # known: not there
        assert len(server.asked) == 2
        watch.ahead = 21.0
        assert await locate(resolver, "none.example", 5060) == []
        assert len(server.asked) == 4
        server.soa = "example. 999999 IN SOA ns.example. root.example. 1 3600 600 86400 999999"
        assert await locate(resolver, "no.example", 5060) == []
        watch.ahead += 301.0
        assert await locate(resolver, "no.example", 5060) == []
        assert server.asked.count(("no.example", "A")) == 2  # max_negative_ttl


async def test_one_look_up_for_a_thousand_calls() -> None:
    async with name_server(*PBX) as server, resolver_of(server) as resolver:
        server.delay = 0.05
        found = await asyncio.gather(*(locate(resolver, "example") for _ in range(900)))
        assert all(hops == found[0] and hops for hops in found)
        assert len(set(server.asked)) == 7
        assert len(server.asked) < 14  # a busy machine answers late, and is asked again


async def test_aliases_and_their_loops() -> None:
    loop = ("loop.example. 60 IN CNAME pool.example.", "pool.example. 60 IN CNAME loop.example.")
    long = [f"c{i}.example. 60 IN CNAME c{i + 1}.example." for i in range(15)]
    lines = ("www.example. 10 IN CNAME real.example.", "real.example. 60 IN A 192.0.2.1", *loop, *long)
    async with (
        name_server(*lines, "c15.example. 60 IN A 192.0.2.1") as server,
        resolver_of(server) as resolver,
    ):
        assert [hop.host for hop in await locate(resolver, "www.example", 1)] == ["192.0.2.1"]
        assert await locate(resolver, "loop.example", 1) == []
        assert await locate(resolver, "c0.example", 1) == []  # longer than anybody needs


async def test_five_hundred_servers_come_by_tcp_and_ten_are_used() -> None:
    lines = [f"_sip._udp.many.example. 60 IN SRV {i % 5} {i} 5060 host{i}.example." for i in range(500)]
    lines += [f"host{i}.example. 60 IN A 192.0.2.{i % 250 + 1}" for i in range(500)]
    async with name_server(*lines) as server, resolver_of(server, chance=lambda: 0.5) as resolver:
        began = time.perf_counter()
        hops = await locate(resolver, "many.example", None, "UDP")
        assert 3 <= len(hops) <= 10
        assert len(server.asked) <= 10
        assert time.perf_counter() - began < 1.0


async def test_a_server_that_refuses_is_followed_by_the_next_at_once() -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with (
        name_server("a.example. 60 IN A 192.0.2.1", "b.example. 60 IN A 192.0.2.1") as good,
        name_server() as bad,
    ):
        bad.rcode = dns.rcode.SERVFAIL
        async with resolver_of(nobody, bad, good) as resolver:
            began = time.perf_counter()
            assert await locate(resolver, "a.example", 1)
            assert await locate(resolver, "b.example", 1)
            assert time.perf_counter() - began < 0.4
            assert [name for name, _ in bad.asked].count("b.example") == 0  # who answered is asked first


async def test_a_silent_server_is_followed_by_the_next_soon() -> None:
    async with name_server("a.example. 60 IN A 192.0.2.1") as good, name_server() as silent:
        silent.is_silent = True
        async with resolver_of(silent, good) as resolver:
            began = time.perf_counter()
            assert await locate(resolver, "a.example", 1)
            assert 0.4 < time.perf_counter() - began < 0.9


async def test_forged_and_broken_answers_are_not_believed() -> None:
    async with name_server("a.example. 60 IN A 192.0.2.1") as server, resolver_of(server) as resolver:
        server.is_forging = True
        assert [hop.host for hop in await locate(resolver, "a.example", 1)] == ["192.0.2.1"]
        assert resolver.counters.bad_answers > 0


async def test_a_dead_dns_costs_two_seconds_once_then_the_domain_is_left_alone() -> None:
    watch = Wrist()
    async with (
        name_server("live.example. 60 IN A 192.0.2.1") as server,
        resolver_of(server, watch=watch) as resolver,
    ):
        server.is_silent = True
        for _ in range(3):
            began = time.perf_counter()
            assert await locate(resolver, "dead.example") == []
            assert 1.8 < time.perf_counter() - began < 2.3
            watch.ahead += 6.0  # past the moment in which the failure itself is remembered
        assert len(server.asked) <= 9  # three queries for each
        assert resolver.paused == 0
        watch.ahead -= 4.0
        assert resolver.paused == 1
        count, began = len(server.asked), time.perf_counter()
        for _ in range(100):
            assert await locate(resolver, "dead.example", 5060) == []
        assert time.perf_counter() - began < 0.2
        assert len(server.asked) == count
        server.is_silent = False
        assert await locate(resolver, "live.example", 5060)  # others are not punished
        server.add("dead.example. 60 IN A 192.0.2.9")
        watch.ahead += 60.0
        assert [hop.host for hop in await locate(resolver, "dead.example", 5060)] == ["192.0.2.9"]
        assert resolver.paused == 0


async def test_old_answers_serve_while_the_dns_is_dead() -> None:
    watch = Wrist()
    async with name_server(*PBX) as server, resolver_of(server, watch=watch) as resolver:
        hops = await locate(resolver, "example")
        server.is_silent = True
        watch.ahead = 3600.0
        assert resolver.known("example") == hops  # at once
        assert await locate(resolver, "example") == hops  # once with the wait...
        began = time.perf_counter()
        watch.ahead += 6.0
        assert await locate(resolver, "example") == hops  # ...then at once: the domain is suspected
        assert time.perf_counter() - began < 0.1
        watch.ahead += 100_000.0
        assert await locate(resolver, "example") == []  # a day is over
        server.is_silent = False
        watch.ahead += 100.0
        assert await locate(resolver, "example") == hops


async def test_the_additional_section_spares_questions_but_only_about_those_named() -> None:
    lines = ("_sip._udp.x.example. 60 IN SRV 1 1 5060 x1.example.", "victim.example. 60 IN A 192.0.2.1")
    async with name_server(*lines) as server, resolver_of(server) as resolver:
        server.additional = ["x1.example. 60 IN A 192.0.2.5", "victim.example. 60 IN A 203.0.113.66"]
        assert [hop.host for hop in await locate(resolver, "x.example", None, "UDP")] == ["192.0.2.5"]
        assert ("x1.example", "A") not in server.asked
        assert [hop.host for hop in await locate(resolver, "victim.example", 1)] == ["192.0.2.1"]


async def test_memory_is_bounded() -> None:
    async with name_server() as server, resolver_of(server, cache_size=100) as resolver:
        for i in range(300):
            assert await locate(resolver, f"n{i}.example", 1) == []
        assert resolver.cached <= 100
        assert resolver.searches == 0


async def test_files_of_this_machine(tmp_path: Path) -> None:
    hosts, resolv_conf = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("# mine\n192.0.2.77 pbx PBX.lan # here\n2001:db8::77\tpbx\nrubbish\n999.1.1.1 bad\n")
    resolv_conf.write_text(
        "search lan\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver x\nnameserver\n"
    )
    resolver = Resolver(DnsConfig(), hosts=hosts, resolv_conf=resolv_conf)
    await resolver.start()
    assert resolver.known("pbx") == [Hop("UDP", "192.0.2.77", 5060), Hop("UDP", "2001:db8::77", 5060)]
    assert resolver.known("pbx.lan", None, "TCP") == [Hop("TCP", "192.0.2.77", 5060)]
    assert resolver.known("localhost", 5070) == [Hop("UDP", "127.0.0.1", 5070), Hop("UDP", "::1", 5070)]
    assert resolver._places.servers == [("192.0.2.53", 53), ("fe80::1%eth0", 53)]
    hosts.write_text("192.0.2.78 other-name-now\n")
    resolver._places.refresh()
    assert resolver.known("other-name-now", 1) == [Hop("UDP", "192.0.2.78", 1)]
    await resolver.stop()


async def test_one_that_is_told_and_fails_does_not_hurt_the_others() -> None:
    async with name_server("a.example. 60 IN A 192.0.2.1") as server, resolver_of(server) as resolver:

        def fail(hops: list[Hop], now: float) -> None:
            raise RuntimeError("a fault of the test")

        resolver.locate("a.example", 1, None, False, fail)
        assert [hop.host for hop in await locate(resolver, "a.example", 1)] == ["192.0.2.1"]


async def test_means_decide_families_and_order() -> None:
    means = Means(("UDP",), ("AAAA", "A"), lambda address: 0 if ":" in address else 1)
    async with name_server(*PBX) as server:
        config = DnsConfig(nameservers=[server.address])
        resolver = Resolver(config, means=lambda: means, hosts=Path("/nowhere"))
        await resolver.start()
        hops = await locate(resolver, "example")
        assert [hop.host for hop in hops] == ["2001:db8::1", "192.0.2.1", "192.0.2.2"]
        await resolver.stop()


def test_nameservers_of_the_configuration() -> None:
    config = DnsConfig(nameservers=["192.0.2.1", "127.0.0.1:5353", "2001:db8::1", "[::1]:54"])
    assert config.nameservers == ["192.0.2.1:53", "127.0.0.1:5353", "[2001:db8::1]:53", "[::1]:54"]
    with pytest.raises(ValueError, match="must be ADDRESS"):
        DnsConfig(nameservers=["dns.example"])
