"""Registrations run out, however many there are."""

from __future__ import annotations

import tracemalloc
from typing import ClassVar

import pytest

from switchroom.protocols.sip.flow import Flow
from switchroom.switch.calls.registration.bindings import MAX_LOOKED_AT

from .test_registrar import CELL, DESK, NOW, SWITCH, Kept, make_registrar, register

MANY = 50_000


def expire(registrar, until):
    """Walk the timers up to a time; when they were, and what ran out."""
    times, gone = [], []
    while (at := registrar.next_timer()) is not None and at <= until:
        times.append(at)
        gone += [b.contact for b in registrar.handle_timer(at)]
    return times, gone


def test_without_registrations_there_is_no_timer():
    assert make_registrar().next_timer() is None


def test_a_binding_runs_out_within_a_second():
    store = Kept()
    registrar = make_registrar(store)
    register(registrar, f"<{DESK}>;expires=60")
    assert expire(registrar, NOW + 59.9) == ([], [])
    assert expire(registrar, NOW + 61) == ([NOW + 61], [DESK])
    assert (registrar.count(), store.rows, registrar.next_timer()) == (0, {}, None)


def test_a_refreshed_binding_stays():
    registrar = make_registrar()
    for i in range(100):
        register(registrar, f"<{DESK}>;expires=60", cseq=i, now=NOW + 30 * i)
        assert expire(registrar, NOW + 30 * i)[1] == []
    times, gone = expire(registrar, NOW + 10_000)
    assert (gone, times[-1]) == ([DESK], NOW + 30 * 99 + 61)


def test_refreshes_do_not_pile_up_timers():
    registrar = make_registrar()
    for i in range(1000):
        register(registrar, f"<{DESK}>;expires={3600 - i}", cseq=i, now=NOW + i / 1000)
    assert sum(len(users) for users in registrar._bindings._due.values()) == 1
    assert len(registrar._bindings._seconds) <= 3600


def test_the_contacts_of_a_user_run_out_one_by_one():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>;expires=600", f"<{CELL}>;expires=60")
    assert expire(registrar, NOW + 100) == ([NOW + 61], [CELL])
    assert expire(registrar, NOW + 700) == ([NOW + 601], [DESK])


def test_a_shorter_refresh_runs_out_earlier():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>;expires=600")
    register(registrar, f"<{DESK}>;expires=60", cseq=2)
    assert expire(registrar, NOW + 100) == ([NOW + 61], [DESK])
    assert expire(registrar, NOW + 1000)[1] == []


def test_who_left_leaves_no_timer_behind():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>;expires=60")
    register(registrar, f"<{DESK}>;expires=0", cseq=2)
    assert expire(registrar, NOW + 100)[1] == []
    assert registrar.next_timer() is None


def test_when_all_run_out_at_once_the_loop_goes_on_between():
    registrar = make_registrar()
    count = 3 * MAX_LOOKED_AT + 1
    for i in range(count):
        register(registrar, f"<{DESK}>;expires=60", account=f"u{i}", to=f"u{i}")
    times, gone = expire(registrar, NOW + 61)
    assert times == [NOW + 61] * 4
    assert len(gone) == count
    assert registrar.count() == 0


class Nowhere(Kept):
    """A store that keeps nothing, so that only the registrar's own memory is measured."""

    def save(self, binding):
        pass

    def renew(self, binding):
        pass

    def remove(self, user, contact):
        pass


def phone(i):
    return f"<sip:u{i}@10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}:5062;transport=udp>;expires=3600"


def fill(registrar, count, flow_class=Flow):
    for i in range(count):
        flow = flow_class("UDP", SWITCH, (f"100.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}", 1024 + i % 60000))
        register(
            registrar, phone(i), account=f"user{i}", to=f"user{i}", call_id=f"{i:032x}@phone", flow=flow,
            now=NOW + i / 100, User_Agent="Phone 1.0",
        )  # fmt: skip


@pytest.mark.slow
def test_a_registration_takes_less_than_a_kilobyte_and_a_half():
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        registrar = make_registrar(Nowhere())
        fill(registrar, MANY)
        size = (tracemalloc.get_traced_memory()[0] - before) / MANY
    finally:
        tracemalloc.stop()
    assert registrar.count() == MANY
    assert size <= 1536


class Watched(Flow):
    """A flow that counts how often it is looked at."""

    looks: ClassVar[list[int]] = []
    connection = property(lambda self: self.looks.append(self.fields()[2][1]) or 0)
    remote = property(lambda self: self.looks.append(self.fields()[2][1]) or self.fields()[2])


def work(registrar):
    """The phones whose flows one lookup and one refresh look at, each time that they do."""
    Watched.looks.clear()
    registrar.lookup("user7", NOW)
    flow = Watched("UDP", SWITCH, ("100.0.0.7", 1031))
    register(registrar, phone(7), account="user7", to="user7", cseq=2, call_id="again", flow=flow)
    return list(Watched.looks)


def test_a_lookup_and_a_refresh_look_at_one_user_only():
    few, many = make_registrar(Nowhere()), make_registrar(Nowhere())
    fill(few, 10, Watched)
    fill(many, 1000, Watched)
    done = work(few)
    assert set(done) == {1031}
    assert work(many) == done
