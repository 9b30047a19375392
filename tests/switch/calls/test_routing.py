"""Routing: which rule takes a number, what it makes of it, in which order it rings, and what is told."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.switch.calls.routing import (
    Diversion,
    Forwarding,
    Inquiry,
    Plan,
    Rate,
    RateTable,
    Router,
    ToTrunk,
    ToUri,
    ToUser,
    show_destination,
)
from switchroom.switch.config import NumbersConfig, RouteConfig, RoutingConfig, UserConfig

TRUNK = "trunk:acme"


def user(name: str, number: str, **more: Any) -> UserConfig:
    return UserConfig(name=name, password="long-enough", number=number, **more)


ANNA, BEN = user("anna", "201"), user("ben", "202")


def router(*routes: dict[str, Any], users: tuple[UserConfig, ...] = (ANNA, BEN), **more: Any) -> Router:
    return Router(users, [RouteConfig(**route) for route in routes], **more)


def shown(plan: Plan) -> list[str]:
    return [" ".join(show_destination(leap.destination) for leap in step.leaps) for step in plan.steps]


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


# -- which rule


def test_a_users_number_and_name_come_before_any_route() -> None:
    asked = router({"match": "*", "to": "trunk:acme"})
    for dialled in ("202", "ben"):
        plan = asked.plan(Inquiry("201", dialled, "anna"))
        ((leap,),) = [step.leaps for step in plan.steps]
        assert (leap.destination, leap.called, leap.caller) == (ToUser("ben"), dialled, "201")
    assert asked.plan(Inquiry("201", "202", "anna")).lines == ("202 is the number of ben",)


def test_the_first_route_that_matches_is_taken_and_each_one_tried_is_told() -> None:
    asked = router(
        {"match": "8*", "to": "trunk:acme"},
        {"match": "+49*", "callers": "2*", "to": "trunk:acme"},
        {"match": "+4*", "name": "abroad", "to": ["trunk:beta", "sip:x@192.0.2.9"]},
        {"match": "*", "to": "trunk:gamma"},
    )
    plan = asked.plan(Inquiry("1001", "+4930123", "carol"))
    assert [leap.destination for step in plan.steps for leap in step.leaps] == [
        ToTrunk("beta"),
        ToUri("sip:x@192.0.2.9"),
    ]
    assert plan.lines == (
        "route 1 '8*': does not match +4930123",
        "route 2 '+49*': matches +4930123; caller 1001 is not in callers 2*: skipped",
        "route 3 abroad: matches +4930123; trunk:beta and sip:x@192.0.2.9",
    )


def test_nothing_matches() -> None:
    plan = router({"match": "8*", "to": "trunk:acme"}).plan(Inquiry("201", "999", "anna"))
    assert (plan.steps, plan.status, plan.reason) == ((), 404, "Not Found")
    assert plan.lines[-1] == "no route takes 999: refused with 404"
    told = plan.lines
    plan.settle()
    assert plan.lines == plan.lines == told


def test_many_routes_that_do_not_match_are_counted() -> None:
    asked = router(*({"match": f"7{n:03}", "to": "trunk:acme"} for n in range(100)))
    lines = asked.plan(Inquiry("201", "7099", "anna")).lines
    assert lines == ("route 100 '7099': matches 7099; trunk:acme", "99 other routes do not match 7099")


_PATTERN = st.from_regex(r"\A(\+?[0-9]{1,3}(\*|X{1,2})?|\[[1-4]-[5-8]\]X?|[0-4]{2}-[5-9]{2}|/[0-3]+5?/)\Z")


@given(
    st.lists(_PATTERN, min_size=1, max_size=12),
    st.lists(st.text(alphabet="+0123456789", max_size=5), min_size=1, max_size=5),
)
def test_the_index_finds_what_asking_each_route_finds(patterns: list[str], asked: list[str]) -> None:
    configs = [RouteConfig(match=pattern, to=f"trunk:t{n}") for n, pattern in enumerate(patterns)]
    found = Router((), configs)
    for number in asked:
        first = next((f"trunk:t{n}" for n, config in enumerate(configs) if config.matches(number)), None)
        assert shown(found.plan(Inquiry("1", number))) == ([first] if first else [])


@pytest.mark.parametrize(
    ("sources", "source", "is_taken"),
    [
        (["users"], "anna", True),
        (["users"], TRUNK, False),
        (["users"], "", False),
        (["trunks"], TRUNK, True),
        (["trunk:acme"], TRUNK, True),
        (["trunk:beta"], TRUNK, False),
        (["user:anna", "trunk:beta"], "anna", True),
        (["user:ben"], "anna", False),
    ],
)
def test_sources(sources: list[str], source: str, is_taken: bool) -> None:
    plan = router({"match": "9", "to": "trunk:x", "sources": sources}).plan(Inquiry("1", "9", source))
    assert bool(plan.steps) is is_taken


@pytest.mark.parametrize(
    ("keys", "when", "why"),
    [
        ({"days": ["mon-fri"]}, "2026-11-27T12:00", ""),
        ({"days": ["mon-fri"]}, "2026-11-28T12:00", "sat is not among its days"),
        ({"days": ["sat-mon"]}, "2026-11-29T12:00", ""),
        ({"hours": ["08:00-18:00"]}, "2026-11-27T08:00", ""),
        ({"hours": ["08:00-18:00"]}, "2026-11-27T18:00", "18:00 is not within its hours"),
        ({"hours": ["22:00-06:00"]}, "2026-11-27T05:59", ""),
        ({"hours": ["22:00-06:00"]}, "2026-11-27T06:00", "06:00 is not within its hours"),
        ({"dates": ["2026-12-24/2027-01-01"]}, "2026-12-31T23:59", ""),
        ({"dates": ["2026-12-24/2027-01-01"]}, "2027-01-02T00:00", "2027-01-02 is not among its dates"),
        ({"except_dates": ["12-25"]}, "2031-12-25T10:00", "2031-12-25 is one of its except_dates"),
        # 08:30 in Berlin is 06:30 UTC in summer and 07:30 in winter
        ({"hours": ["08:00-09:00"]}, "2026-07-01T08:30", ""),
        ({"hours": ["08:00-09:00"]}, "2026-01-01T08:30", ""),
    ],
)
def test_days_hours_and_dates_in_the_time_zone(keys: dict[str, Any], when: str, why: str) -> None:
    zone = "Europe/Berlin"
    asked = router({"match": "9", "to": "trunk:x", **keys}, routing=RoutingConfig(time_zone=zone))
    plan = asked.plan(Inquiry("1", "9", "anna", at(when, zone)))
    assert bool(plan.steps) is not why
    assert bool(plan.steps) is (why == "")
    assert why in plan.lines[0]


@pytest.mark.parametrize(
    "match",
    [
        *("/(1+)+/", "/(1|11)*/", "/1*1*1*/", "/1{2,}1{2,}1+/", "/(.)\\1/", "/(?=1)/", "/[/", "2000-1000"),
        *("1-20", "/" + "1?" * 20 + "1" * 20 + "/", "/" + "(1|11)" * 10 + "x/", "/" + "1" * 200 + "/"),
    ],
)
def test_a_pattern_that_a_number_could_keep_busy_is_refused(match: str) -> None:
    with pytest.raises(ValueError, match=r"must|regular expression"):
        RouteConfig(match=match, to="trunk:x")


@given(st.text(alphabet="1(?:|)*+{},2[]", max_size=40))
def test_any_expression_is_refused_or_answers_quickly(expression: str) -> None:
    try:
        config = RouteConfig(match=f"/{expression}/".replace(" ", ""), to="trunk:x")
    except ValueError:
        return
    begin = perf_counter()
    config.matches("1" * 64)
    assert perf_counter() - begin < 0.5


# -- numbers


def test_numbers_are_stripped_prefixed_and_replaced_in_this_order() -> None:
    route = {
        "match": "0*",
        "to": ["trunk:x", "user:ben"],
        "strip": 1,
        "prefix": "49",
        "replace": [r"/49(\d{2})(\d+)/", r"+49\2\1"],
        "caller_strip": 1,
        "caller_prefix": "+4930",
    }
    asked = router(route, users=(user("anna", "201", caller_id="777"), BEN))
    outside, inside = asked.plan(Inquiry("201", "03012345", "anna")).steps[0].leaps
    assert (outside.called, outside.caller) == ("+491234530", "+493077")
    assert (inside.called, inside.caller) == ("+491234530", "+493001")  # ben sees the extension


def test_a_number_is_never_rewritten_to_nothing() -> None:
    plan = router({"match": "9*", "to": "trunk:x", "strip": 3}).plan(Inquiry("1", "91", "anna"))
    assert plan.steps[0].leaps[0].called == "91"


def test_numbers_of_the_country_become_international_before_the_routes() -> None:
    numbers = NumbersConfig(country="DE", normalise=True)
    asked = router({"match": "+4930*", "to": "trunk:x"}, numbers=numbers)
    plan = asked.plan(Inquiry("201", "030123456", "anna"))
    assert plan.steps[0].leaps[0].called == "+4930123456"
    assert plan.lines[0] == "030123456 is +4930123456 in DE"
    assert (
        asked.plan(Inquiry("201", "030123456", TRUNK)).status == 404
    )  # a trunk's rules have made it already


# -- order


def test_one_after_the_other_with_ring_times_and_causes() -> None:
    plan = router(
        {
            "match": "200",
            "to": ["user:anna", ["user:anna", "user:ben"]],
            "order": "sequential",
            "ring_time": [10, 20],
            "continue_on": ["486", "5xx"],
        }
    ).plan(Inquiry("1", "200", TRUNK))
    assert shown(plan) == ["user:anna", "user:anna user:ben"]
    assert [step.ring_time for step in plan.steps] == [10, 20]
    finals = {status: plan.steps[0].is_final(status) for status in (404, 480, 486, 500, 503, 603)}
    assert finals == {404: True, 480: True, 486: False, 500: False, 503: False, 603: True}


def test_busy_is_final_and_503_is_not() -> None:
    asked = router({"match": "200", "to": "user:anna"})
    (step,) = asked.plan(Inquiry("1", "200", TRUNK)).steps
    for status in (404, 410, 484, 486, 600, 603, 607):
        assert step.is_final(status)
    for status in (403, 408, 480, 488, 500, 502, 503, 504):
        assert not step.is_final(status)


def test_weights_share_the_calls_and_nobody_is_left_out() -> None:
    asked = router(
        {"match": "9", "to": ["trunk:a", "trunk:b", "trunk:c"], "order": "weight", "weights": [70, 30, 0]}
    )
    plans = [shown(asked.plan(Inquiry("1", "9", "anna", 0.0, n / 1000))) for n in range(1000)]
    assert Counter(plan[0] for plan in plans) == {"trunk:a": 700, "trunk:b": 300}
    assert all(sorted(plan) == ["trunk:a", "trunk:b", "trunk:c"] and plan[2] == "trunk:c" for plan in plans)


def test_the_cheapest_trunk_first_and_those_without_a_rate_not_at_all() -> None:
    rates = RateTable(
        [Rate("44", "a", 0.03), Rate("4420", "a", 0.01), Rate("44", "b", 0.02), Rate("49", "c", 0.001)]
    )
    asked = router(
        {"match": "+*", "to": ["trunk:a", "trunk:b", "trunk:c"], "order": "cost", "fall_through": True},
        {"match": "+*", "to": "trunk:last"},
        rates=rates,
    )
    plan = asked.plan(Inquiry("1", "+44207", "anna"))
    assert shown(plan) == ["trunk:a", "trunk:b", "trunk:last"]
    assert [step.leaps[0].price for step in plan.steps] == [0.01, 0.02, None]
    assert "by price: trunk:a at 0.01; trunk:b at 0.02" in plan.lines[0]
    none = asked.plan(Inquiry("1", "+1", "anna"))
    assert shown(none) == ["trunk:last"]
    assert "no trunk has a rate for +1" in none.lines[0]


# -- emergencies and what users may call


def test_emergency_numbers_of_the_country_pass_what_a_user_may_not_call() -> None:
    closed = user("lobby", "209", allowed="2XX", blocked="1*")
    asked = router(
        {"match": "112 110", "to": "trunk:x", "days": ["mon"]},
        users=(closed, ANNA),
        numbers=NumbersConfig(country="DE"),
    )
    plan = asked.plan(Inquiry("209", "112", "lobby", at("2026-11-28T12:00")))
    assert plan.is_emergency
    assert shown(plan) == ["trunk:x"]  # no calendar stops it either
    assert "taken all the same" in plan.lines[-1]
    assert not asked.is_emergency("911")
    assert asked.is_emergency("110")


def test_emergency_numbers_can_be_listed() -> None:
    asked = router(numbers=NumbersConfig(country="DE", emergency=["999"]))
    assert (asked.is_emergency("999"), asked.is_emergency("112")) == (True, False)
    assert router().is_emergency("112")  # no country: 112 and 911


@pytest.mark.parametrize(
    ("dialled", "status"), [("201", 0), ("+4930", 0), ("+44", 403), ("+49301", 403), ("+49302", 0)]
)
def test_what_a_user_may_call(dialled: str, status: int) -> None:
    lobby = user("lobby", "209", allowed="+4930*", blocked="+49301*")
    plan = router({"match": "+*", "to": "trunk:x"}, users=(lobby, ANNA)).plan(
        Inquiry("209", dialled, "lobby")
    )
    assert plan.status == status
    assert bool(plan.steps) is (status == 0)
    if status:
        assert plan.lines[-1].endswith("refused with 403")


# -- forwarding


def forwarding(**more: Any) -> Router:
    return router({"match": "+*", "to": "trunk:x"}, users=(ANNA, user("ben", "202", **more)))


@pytest.mark.parametrize(
    ("key", "why", "reason"),
    [
        ("forward_always", "always", "unconditional"),
        ("forward_busy", "busy", "user-busy"),
        ("forward_no_answer", "no-answer", "no-answer"),
        ("forward_unreachable", "unreachable", "unavailable"),
    ],
)
def test_forwarding_to_a_number(key: str, why: Any, reason: str) -> None:
    asked = forwarding(**{key: "+4930"})
    first = asked.plan(Inquiry("201", "202", "anna"))
    plan = asked.divert("ben", why, first.inquiry)
    assert plan is not None
    assert shown(plan) == ["trunk:x"]
    assert plan.diversion == Diversion("ben", "202", reason)
    assert plan.inquiry.forwarders == ("ben",)
    assert plan.lines[0].startswith("ben forwards ")
    assert plan.lines[0].endswith(" to +4930")
    for other in {"always", "busy", "no-answer", "unreachable"} - {why}:
        assert asked.divert("ben", other, first.inquiry) is None  # type: ignore[arg-type]
    assert asked.divert("anna", why, first.inquiry) is None


@pytest.mark.parametrize(
    ("target", "to"), [("user:anna", "user:anna"), ("201", "user:anna"), ("sip:a@x", "sip:a@x")]
)
def test_forwarding_to_users_and_uris(target: str, to: str) -> None:
    plan = forwarding(forward_busy=target).divert("ben", "busy", Inquiry("5", "202", TRUNK))
    assert plan is not None
    assert shown(plan) == [to]


def test_do_not_disturb() -> None:
    plan = forwarding(do_not_disturb=True).divert("ben", "always", Inquiry("201", "202", "anna"))
    assert plan is not None
    assert (plan.steps, plan.status) == ((), 480)
    plan = forwarding(do_not_disturb=True, forward_busy="201").divert(
        "ben", "always", Inquiry("5", "202", TRUNK)
    )
    assert plan is not None
    assert shown(plan) == ["user:anna"]
    assert plan.diversion is not None
    assert plan.diversion.reason == "do-not-disturb"


def test_a_loop_of_forwarding_ends_and_is_told() -> None:
    asked = router(
        users=(user("anna", "201", forward_always="202"), user("ben", "202", forward_always="201"))
    )
    plan = asked.plan(Inquiry("5", "201", TRUNK))
    hops = 0
    while plan.steps:
        hops += 1
        (leap,) = plan.steps[0].leaps
        assert isinstance(leap.destination, ToUser)
        diverted = asked.divert(leap.destination.name, "always", plan.inquiry)
        assert diverted is not None
        plan = diverted
    assert (hops, plan.status) == (3, 480)
    assert "forwarded 2 times already, by anna, ben" in plan.lines[-1]


def test_a_long_chain_of_forwarding_ends() -> None:
    users = tuple(user(f"u{n}", str(300 + n), forward_always=str(301 + n)) for n in range(9))
    asked = router(users=users, routing=RoutingConfig(max_forwards=3))
    inquiry = Inquiry("5", "300", TRUNK)
    for n in range(3):
        plan = asked.divert(f"u{n}", "always", inquiry)
        assert plan is not None
        inquiry = plan.inquiry
        assert plan.steps
    last = asked.divert("u3", "always", inquiry)
    assert last is not None
    assert not last.steps


def test_a_forwarded_call_may_only_go_where_the_forwarder_may_call() -> None:
    asked = router(
        {"match": "+*", "to": "trunk:x"}, users=(ANNA, user("ben", "202", forward_always="+1", blocked="+1"))
    )
    plan = asked.divert("ben", "always", Inquiry("201", "202", "anna"))
    assert plan is not None
    assert plan.status == 403


def test_a_forwarded_call_shows_the_callers_own_outside_number() -> None:
    users = (
        user("anna", "201", caller_id="+4930201"),
        user("ben", "202", forward_always="+1", caller_id="+4930202"),
    )
    asked = router({"match": "+*", "to": "trunk:x"}, users=users)
    plan = asked.divert("ben", "always", asked.plan(Inquiry("201", "202", "anna")).inquiry)
    assert plan is not None
    assert plan.steps[0].leaps[0].caller == "+4930201"


def test_what_is_changed_while_we_run_replaces_the_configuration() -> None:
    asked = forwarding(forward_always="+4930", forward_no_answer="+4931", no_answer_after=12)
    inquiry = Inquiry("201", "202", "anna")
    assert asked.ring_time("ben") == 12
    asked.overrides["ben"] = Forwarding(always="", no_answer_after=5)
    assert asked.divert("ben", "always", inquiry) is None
    assert asked.ring_time("ben") == 5
    asked.overrides["anna"] = Forwarding(do_not_disturb=True)
    plan = asked.divert("anna", "always", inquiry)
    assert plan is not None
    assert plan.status == 480
    del asked.overrides["anna"]
    assert asked.divert("anna", "always", inquiry) is None
