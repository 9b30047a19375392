"""Guessing passwords is slowed down, and nobody else feels it (THREATS C5)."""

from __future__ import annotations

import pytest

from switchroom.switch.calls.access.guard import (
    AccountAttacked,
    Ban,
    Guard,
    GuardLimits,
    SourceBanned,
    source_of,
)

LIMITS = GuardLimits(
    max_failures=20, failure_window=600.0, ban_time=300.0, max_unanswered=10, unanswered_window=60.0
)
EVIL = "198.51.100.6"


def make_guard(limits=LIMITS, **options):
    alerts = []
    return Guard(limits, alerts.append, **options), alerts


def guess(guard, times, now, host=EVIL, user="1001", **more):
    """Guess until banned; the number of guesses that were looked at."""
    for done in range(times):
        if guard.is_banned(host, now):
            return done
        guard.failed(host, user, now, **more)
    return times


def test_a_source_is_banned_after_twenty_failures():
    guard, alerts = make_guard()
    assert guess(guard, 60, 1000.0) == 20
    assert alerts == [
        SourceBanned(Ban(EVIL, 1300.0, 300.0, "passwords"), "1001"),
        AccountAttacked("1001", EVIL),
    ]
    assert (guard.failures, guard.bans, guard.banned(1000.0)) == (20, 1, {EVIL: 1300.0})


def test_others_are_heard_meanwhile():
    guard, _ = make_guard()
    guess(guard, 60, 1000.0)
    assert not guard.is_banned("192.0.2.7", 1000.0)


def test_the_ban_ends_and_the_next_comes_sooner():
    guard, _ = make_guard()
    guess(guard, 60, 1000.0)
    assert guard.is_banned(EVIL, 1299.9)
    assert not guard.is_banned(EVIL, 1300.0)
    assert guess(guard, 60, 1300.0) == 10  # half of the window is over: half is forgotten
    assert guard.is_banned(EVIL, 1301.0)
    assert guard.banned(2000.0) == {}


def test_each_ban_lasts_twice_as_long_up_to_eight_times():
    guard, _ = make_guard()
    now, lasted = 1000.0, []
    for _ in range(6):
        guess(guard, 60, now)
        (until,) = guard.banned(now).values()
        lasted.append(until - now)
        now = until
    assert lasted == [300.0, 600.0, 1200.0, 2400.0, 2400.0, 2400.0]


def test_an_old_ban_is_forgiven():
    guard, _ = make_guard()
    guess(guard, 60, 1000.0)
    guess(guard, 60, 1300.0 + 8 * 300.0)
    assert list(guard.banned(3700.0).values()) == [4000.0]


def test_what_was_dropped_is_counted():
    guard, _ = make_guard()
    guess(guard, 60, 1000.0)
    before = guard.dropped
    for _ in range(5):
        guard.is_banned(EVIL, 1001.0)
    assert guard.dropped == before + 5


def test_a_phone_with_an_old_password_that_tries_twice_a_minute_is_not_banned():
    guard, alerts = make_guard()
    now = 1000.0
    while now < 20000.0:
        assert not guard.is_banned("192.0.2.7", now)
        guard.failed("192.0.2.7", "1002", now)
        now += 30.0
    assert alerts == []


def test_an_account_attacked_from_everywhere_alerts_once_a_window():
    guard, alerts = make_guard()
    for i in range(200):
        guard.failed(f"198.51.100.{i}", "1001", 1000.0 + i / 10)
    assert alerts == [AccountAttacked("1001", "198.51.100.19")]
    assert not guard.banned(1020.0)
    for i in range(200):
        guard.failed(f"198.51.100.{i}", "1001", 1601.9 + i / 10)
    assert [type(alert) for alert in alerts] == [AccountAttacked, AccountAttacked]


def test_nobody_is_alerted_about_accounts_that_do_not_exist():
    guard, alerts = make_guard()
    for i in range(100):
        guard.failed(f"198.51.100.{i}", "root", 1000.0, is_known=False)
    assert alerts == []


def test_challenges_that_nobody_answers_stop():
    guard, _ = make_guard()
    assert [guard.may_challenge(EVIL, 1000.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert guard.may_challenge("192.0.2.7", 1000.0)
    assert guard.may_challenge(EVIL, 1006.0)  # one of ten in sixty seconds
    assert not guard.may_challenge(EVIL, 1006.0)
    assert not guard.is_banned(EVIL, 1006.0)  # anybody can send in another's name


def test_many_phones_behind_one_address_that_answer_are_challenged_without_end():
    guard, _ = make_guard()
    for _ in range(1000):
        assert guard.may_challenge("192.0.2.7", 1000.0)
        guard.succeeded("192.0.2.7")


def test_a_wrong_answer_is_an_answer():
    guard, _ = make_guard(GuardLimits(max_failures=1000, max_unanswered=10))
    for _ in range(100):
        assert guard.may_challenge(EVIL, 1000.0)
        guard.failed(EVIL, "1001", 1000.0)


def test_memory_is_bounded():
    guard, _ = make_guard(GuardLimits(max_failures=1), max_sources=50)
    for i in range(1000):
        guard.failed(f"s{i}", f"{i}" + "x" * 5000, 1000.0)
        guard.may_challenge(f"s{i}", 1000.0)
    tables = [guard._failed, guard._accounts, guard._unanswered, guard.ban_list.table, guard._alerted]
    assert [len(table) for table in tables] == [50] * 5
    assert max(map(len, guard._alerted)) == 64
    assert guard.is_banned("s999", 1000.0)


def test_a_reload_changes_the_limits():
    guard, _ = make_guard()
    guard.limits = GuardLimits(max_failures=3, failure_window=600.0)
    assert guess(guard, 60, 1000.0) == 3


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_what_one_customer_holds_is_one_source(host, source):
    assert source_of(host) == source


def test_a_network_of_ipv6_is_banned_as_a_whole():
    guard, _ = make_guard()
    for i in range(20):
        guard.failed(f"2001:db8::{i:x}", "1001", 1000.0)
    assert guard.is_banned("2001:db8::ffff", 1000.0)
    assert not guard.is_banned("2001:db8:0:1::1", 1000.0)
