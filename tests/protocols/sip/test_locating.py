"""RFC 3263 and RFC 2782 as an algorithm: what is asked, what comes out, how little an enemy decides."""

from __future__ import annotations

from collections import Counter

import pytest

from switchroom.protocols.sip import Uri
from switchroom.protocols.sip.locating import (
    MAX_HOPS,
    MAX_QUESTIONS,
    Hop,
    Means,
    Naptr,
    Question,
    Record,
    Srv,
    Target,
    by_weight,
    host_name,
    locate,
)

Zone = dict[tuple[str, str], list[Record]]


def resolve(target: Target, zone: Zone, chance: float = 0.0, means: Means | None = None):
    """Answer round after round, as a resolver would; give the hops and all that was asked, in order."""
    known: dict[Question, list[Record]] = {}
    asked: list[Question] = []
    while True:
        location = locate(target, known.get, chance, means)
        if not location.missing:
            return list(location.hops), asked
        for question in location.missing:
            assert question not in known
            asked.append(question)
            known[question] = zone.get(tuple(question), [])


V4 = Means(families=("A",))


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:192.0.2.1", Hop("UDP", "192.0.2.1", 5060)),
        ("sip:192.0.2.1:5080", Hop("UDP", "192.0.2.1", 5080)),
        ("sip:192.0.2.1;transport=tcp", Hop("TCP", "192.0.2.1", 5060)),
        ("sip:192.0.2.1;transport=tls", Hop("TLS", "192.0.2.1", 5061, "192.0.2.1")),
        ("sips:192.0.2.1", Hop("TLS", "192.0.2.1", 5061, "192.0.2.1")),
        ("sips:192.0.2.1;transport=tcp", Hop("TLS", "192.0.2.1", 5061, "192.0.2.1")),
        ("sip:[2001:db8::1]", Hop("UDP", "2001:db8::1", 5060)),
        ("sip:[2001:DB8:0::1]:5070", Hop("UDP", "2001:db8::1", 5070)),
        ("sip:example.com;maddr=192.0.2.9", Hop("UDP", "192.0.2.9", 5060)),
    ],
)
def test_an_address_is_never_asked_about(uri: str, hop: Hop) -> None:
    assert resolve(Target.of_uri(Uri.parse(uri)), {}) == ([hop], [])


@pytest.mark.parametrize(
    "host", [".1", "[.1]", "1.2.3", "[::", "a..b", "-a", "x" * 64, "a." * 127 + "ab", "ä.example", ""]
)
def test_what_is_no_name_is_neither_asked_nor_reached(host: str) -> None:
    for target in (
        Target(host),
        Target(host, 5060),
        Target(host, None, "TLS"),
        Target(host, None, None, True),
    ):
        assert resolve(target, {}) == ([], [])


def test_a_name_with_a_port_needs_addresses_only() -> None:
    zone: Zone = {("pbx.example.com", "A"): ["192.0.2.1"], ("pbx.example.com", "AAAA"): ["2001:db8::1"]}
    hops, asked = resolve(Target("PBX.example.com.", 5080), zone)
    assert hops == [Hop("UDP", "192.0.2.1", 5080), Hop("UDP", "2001:db8::1", 5080)]
    assert asked == [("pbx.example.com", "A"), ("pbx.example.com", "AAAA")]


EXAMPLE: Zone = {  # RFC 3263 §4.1
    ("example.com", "NAPTR"): [
        Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
        Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
    ],
    ("_sip._tcp.example.com", "SRV"): [
        Srv(0, 1, 5060, "server1.example.com"),
        Srv(0, 2, 5060, "server2.example.com"),
    ],
    ("_sip._udp.example.com", "SRV"): [Srv(0, 1, 5060, "server2.example.com")],
    ("_sips._tcp.example.com", "SRV"): [Srv(0, 1, 5061, "server1.example.com")],
    ("server1.example.com", "A"): ["192.0.2.1"],
    ("server2.example.com", "A"): ["192.0.2.2"],
}


def test_naptr_selects_the_transport() -> None:
    hops, _ = resolve(Target("example.com"), EXAMPLE, means=V4)
    assert [hop.transport for hop in hops] == ["TLS", "TCP", "TCP", "UDP"]
    assert hops[0] == Hop("TLS", "192.0.2.1", 5061, "example.com")  # the domain is proved, not the server
    hops, asked = resolve(Target("example.com"), EXAMPLE, means=Means(("UDP", "TCP"), ("A",)))
    assert [hop.transport for hop in hops] == ["TCP", "TCP", "UDP"]
    assert ("_sips._tcp.example.com", "SRV") not in asked


def test_a_sips_uri_is_never_led_to_less() -> None:
    hops, _ = resolve(Target("example.com", None, None, True), EXAMPLE, means=V4)
    assert hops == [Hop("TLS", "192.0.2.1", 5061, "example.com")]
    assert resolve(Target("example.com", None, "UDP", True), EXAMPLE) == ([], [])


def test_without_naptr_all_services_are_asked_for_and_without_those_the_host() -> None:
    zone: Zone = {
        ("_sip._tcp.example.com", "SRV"): [Srv(1, 1, 5062, "a.example.com")],
        ("a.example.com", "A"): ["192.0.2.3"],
    }
    hops, asked = resolve(Target("example.com"), zone, means=V4)
    assert hops == [Hop("TCP", "192.0.2.3", 5062)]
    assert [kind for _, kind in asked] == ["NAPTR", "SRV", "SRV", "A"]
    hops, _ = resolve(Target("example.com"), {("example.com", "A"): ["192.0.2.4"]}, means=V4)
    assert hops == [Hop("UDP", "192.0.2.4", 5060)]
    hops, asked = resolve(
        Target("example.com", None, None, True), {("example.com", "A"): ["192.0.2.4"]}, means=V4
    )
    assert hops == [Hop("TLS", "192.0.2.4", 5061, "example.com")]
    assert ("_sips._tcp.example.com", "SRV") in asked
    assert ("_sip._udp.example.com", "SRV") not in asked


def test_a_given_transport_skips_naptr() -> None:
    hops, asked = resolve(Target("example.com", None, "udp"), EXAMPLE, means=V4)
    assert hops == [Hop("UDP", "192.0.2.2", 5060)]
    assert asked == [("_sip._udp.example.com", "SRV"), ("server2.example.com", "A")]


def test_a_service_that_is_decidedly_not_there() -> None:
    zone: Zone = {("_sip._udp.example.com", "SRV"): [Srv(0, 0, 0, "")], ("example.com", "A"): ["192.0.2.4"]}
    assert resolve(Target("example.com", None, "UDP"), zone, means=V4)[0] == []


def test_priorities_then_weights() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): [
            Srv(20, 0, 5060, "last.example.com"),
            Srv(10, 1, 5060, "light.example.com"),
            Srv(10, 9, 5060, "heavy.example.com"),
        ],
        **{(f"{n}.example.com", "A"): [f"192.0.2.{i}"] for i, n in enumerate(("last", "light", "heavy"))},
    }
    first = Counter()
    for i in range(1000):
        hops, _ = resolve(Target("example.com", None, "UDP"), zone, i / 1000, V4)
        assert len(hops) == 3
        assert hops[2].host == "192.0.2.0"
        first[hops[0].host] += 1
    assert 800 < first["192.0.2.2"] < 950


def test_one_number_orders_all_weights_as_the_rfc_says() -> None:
    records = [Srv(1, 60, 1, "a"), Srv(1, 20, 2, "b"), Srv(1, 20, 3, "c")]
    orders = Counter(tuple(r.target for r in by_weight(records, (i + 0.5) / 20000)) for i in range(20000))
    assert len(orders) == 6
    # P(a first) = 61/101 by the RFC's draw of an integer from 0 to 100; then b or c with 21/41
    assert orders["a", "b", "c"] / 20000 == pytest.approx(61 / 101 * 21 / 41, abs=0.005)
    assert orders["b", "a", "c"] / 20000 == pytest.approx(20 / 101 * 61 / 81, abs=0.005)


def test_no_weights_at_all_are_equal_chances() -> None:
    records = [Srv(1, 0, i, str(i)) for i in range(4)]
    firsts = Counter(next(by_weight(records, i / 1000)).target for i in range(1000))
    assert set(firsts) == {"0", "1", "2", "3"}
    assert min(firsts.values()) > 150


def test_five_hundred_servers_are_ten_at_most() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): [Srv(0, 1, 5060 + i, f"h{i}.example.com") for i in range(500)]
    }
    zone |= {(f"h{i}.example.com", "A"): [f"192.0.2.{j}" for j in range(50)] for i in range(500)}
    for chance in (0.0, 0.3, 0.999999):
        hops, asked = resolve(Target("example.com"), zone, chance)
        assert len(hops) == MAX_HOPS
        assert len(asked) <= MAX_QUESTIONS


def test_servers_that_do_not_exist_do_not_keep_us_asking() -> None:
    zone: Zone = {
        ("example.com", "NAPTR"): [
            Naptr(i, 1, "s", service, f"_s{i}.example.com")
            for i, service in enumerate(("SIP+D2U", "SIP+D2T", "SIPS+D2T") * 20)
        ]
    }
    zone |= {
        (f"_s{i}.example.com", "SRV"): [Srv(0, 1, 1, f"h{i}-{j}.example.com") for j in range(50)]
        for i in range(60)
    }
    hops, asked = resolve(Target("example.com"), zone)
    assert hops == []
    assert len(asked) == MAX_QUESTIONS


def test_what_has_no_route_is_left_out_and_what_has_a_better_one_comes_first() -> None:
    zone: Zone = {
        ("pbx.example.com", "A"): ["192.0.2.1", "192.0.2.2"],
        ("pbx.example.com", "AAAA"): ["2001:db8::1"],
    }
    rank = {"192.0.2.1": 1, "192.0.2.2": None, "2001:db8::1": 0}
    hops, _ = resolve(Target("pbx.example.com", 5060), zone, means=Means(rank=rank.get))
    assert [hop.host for hop in hops] == ["2001:db8::1", "192.0.2.1"]


def test_a_transport_that_we_lack_is_nowhere() -> None:
    means = Means(("UDP",), ("A",))
    zone: Zone = {("pbx.example.com", "A"): ["192.0.2.1"]}
    assert resolve(Target("pbx.example.com", None, "TCP"), zone, means=means)[0] == []
    assert resolve(Target("192.0.2.1", None, "SCTP"), zone, means=means) == ([], [])
    assert resolve(Target("pbx.example.com", 5060), zone, means=Means(("TCP",), ("A",)))[0] == [
        Hop("TCP", "192.0.2.1", 5060)
    ]


def test_records_that_make_no_sense() -> None:
    zone: Zone = {
        ("example.com", "NAPTR"): [
            Naptr(1, 1, "u", "SIP+D2U", "_sip._udp.example.com"),
            Naptr(1, 1, "s", "E2U+sip", "_sip._udp.example.com"),
            Naptr(1, 1, "s", "SIP+D2S", "_sip._sctp.example.com"),
            Naptr(1, 1, "S", "sip+d2u", ""),
            Naptr(2, 1, "S", "sip+d2u", "_sip._udp.example.com"),
        ],
        ("_sip._udp.example.com", "SRV"): [
            Srv(0, 1, 0, "a.example.com"),
            Srv(0, 1, 5060, "192.0.2.1"),
            Srv(0, 1, 5060, ".1"),
            Srv(1, 1, 5060, "b.example.com"),
        ],
        ("b.example.com", "A"): ["192.0.2.7"],
    }
    hops, asked = resolve(Target("example.com"), zone, means=V4)
    assert hops == [Hop("UDP", "192.0.2.7", 5060)]
    assert len(asked) == 3


def test_names() -> None:
    assert host_name("Example.COM.") == "example.com"
    assert host_name("_sip._udp.a-b.c2") == "_sip._udp.a-b.c2"
    assert host_name("a\nb") is None
