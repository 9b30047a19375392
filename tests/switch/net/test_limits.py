"""Token buckets per source and for all, and the maps that forget."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.switch.net import NetLimits
from switchroom.switch.net.bans import Ban, BanList
from switchroom.switch.net.limits import Limiter, Recent, Verdict, source_of

NEW = b"MESSAGE sip:x SIP/2.0\r\nTo: <sip:x>\r\n\r\n"
ONGOING = (
    b"SIP/2.0 200 OK\r\n",
    b"ACK sip:",
    b"BYE sip:",
    b"CANCEL sip:",
    b"PRACK sip:",
    b"UPDATE sip:",
    b"INFO sip:",
)


def limiter(trusted: tuple[str, ...] = (), **limits: float) -> Limiter:
    return Limiter(NetLimits(**limits), lambda host: host in trusted, 0.0)  # type: ignore[arg-type]


def flood(one: Limiter, rate: float, sources: int, seconds: float, data: bytes = NEW) -> Counter[Verdict]:
    """So many messages a second, evenly from so many sources."""
    count = int(rate * seconds)
    return Counter(
        one.judge(f"10.0.{i % sources // 250}.{i % sources % 250}", data, i / rate) for i in range(count)
    )


def test_the_defaults_pass_2000_messages_a_second_from_200_sources() -> None:
    assert flood(limiter(), 2000, 200, 60) == {Verdict.PASS: 120_000}


def test_one_source_is_held_to_its_rate_after_its_burst() -> None:
    verdicts = flood(limiter(), 2000, 1, 10)
    assert verdicts[Verdict.PASS] == pytest.approx(400 + 200 * 10, abs=2)
    assert verdicts[Verdict.SOURCE] == 20_000 - verdicts[Verdict.PASS]


def test_a_trusted_source_is_not_held_to_it() -> None:
    assert flood(limiter(trusted=("10.0.0.0",)), 2000, 1, 10) == {Verdict.PASS: 20_000}


def test_beyond_the_total_rate_new_requests_are_refused_then_dropped() -> None:
    verdicts = flood(limiter(total_rate=100, total_burst=100, refuse_rate=400), 1000, 200, 10)
    assert verdicts[Verdict.PASS] == pytest.approx(100 + 100 * 10, abs=2)
    assert verdicts[Verdict.OVERLOAD] == pytest.approx(400 + 400 * 10, abs=80)  # refusing costs too
    assert verdicts[Verdict.TOTAL] == 10_000 - verdicts[Verdict.PASS] - verdicts[Verdict.OVERLOAD]


def test_trusted_sources_have_a_reserve_that_strangers_cannot_take() -> None:
    one = limiter(trusted=("192.0.2.1",), total_rate=100, total_burst=100)
    flood(one, 1000, 200, 5)
    verdicts = [one.judge("192.0.2.1", NEW, 5.0) for _ in range(60)]
    assert verdicts[:25] == [Verdict.PASS] * 25
    assert Verdict.PASS not in verdicts[25:]


@pytest.mark.parametrize("data", ONGOING)
def test_overload_does_not_touch_what_goes_on(data: bytes) -> None:
    one = limiter(total_rate=100, total_burst=100)
    flood(one, 1000, 200, 5)
    assert one.judge("192.0.2.1", NEW, 5.0) is not Verdict.PASS
    assert one.judge("192.0.2.1", data, 5.0) is Verdict.PASS


def test_even_what_goes_on_has_a_limit() -> None:
    verdicts = flood(limiter(total_rate=10, total_burst=10), 1000, 200, 10, b"BYE sip:")
    assert verdicts[Verdict.PASS] == pytest.approx(100 + 100 * 10, abs=2)
    assert verdicts[Verdict.TOTAL] == 10_000 - verdicts[Verdict.PASS]


def test_other_limits_apply_at_once() -> None:
    one = limiter()
    one.apply(NetLimits(source_rate=1.0, source_burst=1.0))
    assert [one.judge("192.0.2.1", NEW, 1.0) for _ in range(2)] == [Verdict.PASS, Verdict.SOURCE]


def test_a_whole_ipv6_network_is_one_source() -> None:
    one = limiter(source_rate=1, source_burst=10)
    verdicts = [one.judge(f"2001:db8:0:1::{i:x}", NEW, 0.0) for i in range(20)]
    assert Counter(verdicts) == {Verdict.PASS: 10, Verdict.SOURCE: 10}
    assert one.judge("2001:db8:0:2::1", NEW, 0.0) is Verdict.PASS


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_what_counts_as_a_source(host: str, source: str) -> None:
    assert source_of(host) == source


def test_forged_sources_do_not_make_the_limiter_grow() -> None:
    one = limiter(max_sources=100)
    for i in range(10_000):
        one.judge(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", NEW, i * 0.001)
    assert one.source_count <= 200


@given(st.lists(st.integers(0, 30)), st.integers(1, 8))
def test_recent_is_bounded_and_keeps_the_latest(keys: list[int], size: int) -> None:
    recent = Recent(size)
    for at, key in enumerate(keys):
        recent.put(key, at)
        assert recent.get(key) == at
        assert len(recent) <= 2 * size
    latest = list(dict.fromkeys(reversed(keys)))[:size]
    for key in latest:
        assert recent.get(key) == len(keys) - 1 - keys[::-1].index(key)


def test_recent_keeps_what_is_used() -> None:
    recent = Recent(4)
    recent.put("used", 1)
    for i in range(100):
        recent.put(f"other {i}", i)
        assert recent.get("used") == 1
    recent.clear()
    assert recent.get("used") is None


# -- calls and registrations have rates of their own

REGISTER = b"REGISTER sip:x SIP/2.0\r\nTo: <sip:x>\r\n\r\n"
INVITE = b"INVITE sip:x SIP/2.0\r\nTo: <sip:x>\r\n\r\n"
REINVITE = b"INVITE sip:x SIP/2.0\r\nTo: <sip:x>;tag=1\r\n\r\n"


def test_a_flood_of_calls_does_not_keep_phones_from_registering() -> None:
    one = limiter(total_rate=100, total_burst=100)
    flood(one, 1000, 200, 5, INVITE)
    assert one.judge("192.0.2.1", INVITE, 5.0) is not Verdict.PASS
    assert one.judge("192.0.2.1", REGISTER, 5.0) is Verdict.PASS


def test_registrations_have_a_rate() -> None:
    assert flood(limiter(register_rate=100), 1000, 200, 10, REGISTER)[Verdict.PASS] == pytest.approx(
        1100, abs=2
    )


def test_calls_have_a_rate_that_requests_inside_of_them_do_not_meet() -> None:
    one = limiter(call_rate=100)
    assert flood(one, 1000, 200, 10, INVITE)[Verdict.PASS] == pytest.approx(1100, abs=2)
    assert one.judge("192.0.2.1", INVITE, 10.0) is Verdict.OVERLOAD
    assert one.judge("192.0.2.1", REINVITE, 10.0) is Verdict.PASS
    assert one.judge("192.0.2.1", NEW, 10.0) is Verdict.PASS


@pytest.mark.parametrize(("key", "data"), [("source_call_rate", INVITE), ("source_register_rate", REGISTER)])
def test_one_source_has_a_rate_of_calls_and_of_registrations(key: str, data: bytes) -> None:
    one = limiter(**{key: 10})
    assert flood(one, 100, 1, 10, data)[Verdict.PASS] == pytest.approx(20 + 10 * 10, abs=2)
    assert one.judge("192.0.2.1", data, 10.0) is Verdict.PASS


# -- bans

BAN = Ban("192.0.2.9", 100.0, 100.0, "malformed")


def banned(ban: Ban, trusted: tuple[str, ...] = ()) -> Limiter:
    bans = BanList()
    bans.put(ban, 0.0)
    return Limiter(NetLimits(), lambda host: host in trusted, 0.0, bans=bans, mark=lambda: b"abcdef")


def test_a_banned_source_is_not_read_until_the_ban_ends() -> None:
    one = banned(BAN)
    assert one.judge("192.0.2.9", NEW, 99.0) is Verdict.BANNED
    assert one.judge("192.0.2.8", NEW, 99.0) is Verdict.PASS
    assert one.judge("192.0.2.9", NEW, 100.0) is Verdict.PASS


def test_what_belongs_to_calls_of_a_banned_source_is_read() -> None:
    assert (
        banned(BAN).judge("192.0.2.9", b"BYE sip:x SIP/2.0\r\nTo: <sip:x>;tag=000000abcdef1", 1.0)
        is Verdict.PASS
    )


def test_a_ban_does_not_hold_for_trunks_and_phones_but_an_operator_s_does() -> None:
    assert banned(BAN, ("192.0.2.9",)).judge("192.0.2.9", NEW, 1.0) is Verdict.PASS
    own = BAN._replace(reason="operator")
    assert banned(own, ("192.0.2.9",)).judge("192.0.2.9", NEW, 1.0) is Verdict.BANNED


def test_a_ban_that_forged_addresses_may_have_brought_lets_phones_register() -> None:
    one = banned(BAN._replace(is_proven=False))
    assert one.judge("192.0.2.9", REGISTER, 1.0) is Verdict.PASS
    assert one.judge("192.0.2.9", NEW, 1.0) is Verdict.BANNED


def test_of_ipv6_the_network_is_banned() -> None:
    one = banned(BAN._replace(source="2001:db8::/64"))
    assert one.judge("2001:db8::7", NEW, 1.0) is Verdict.BANNED
    assert one.judge("2001:db8:0:1::7", NEW, 1.0) is Verdict.PASS


def test_bans_are_lifted_and_bounded() -> None:
    bans = BanList(max_sources=3)
    for n in range(10):
        bans.put(BAN._replace(source=f"192.0.2.{n}"), 0.0)
    assert [ban.source for ban in bans.rows(1.0)] == ["192.0.2.7", "192.0.2.8", "192.0.2.9"]
    assert bans.lift("192.0.2.8") == ["192.0.2.8"]
    assert bans.lift("192.0.2.8") == []
    assert bans.lift("") == ["192.0.2.7", "192.0.2.9"]
    assert not bans.table
