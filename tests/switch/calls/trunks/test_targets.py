"""Addresses that fail and come back: what calls report, OPTIONS probes, Retry-After, DNS (THREATS G13)."""

from __future__ import annotations

from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.locating import Hop
from switchroom.switch.config import HostedTrunk
from tests.switch.calls.trunks.line import Line, flow, silent, well

ONE, TWO, THREE = "198.51.100.1", "198.51.100.2", "198.51.100.3"


def line(*hosts: str, **changes: Any) -> Line:
    address = [f"sip:{host}" for host in hosts or (ONE, TWO)]
    made = Line({"name": "acme", "address": address, **changes})
    made.carriers = dict.fromkeys((ONE, TWO, THREE), well)
    made.start()
    return made


def hosts(line: Line, **options: Any) -> list[str]:
    return [way.flow.remote[0] for way in line.trunk.ways(line.now, **options)]


def test_the_addresses_are_tried_in_order() -> None:
    one = line()
    assert hosts(one) == [ONE, TWO]
    assert one.trunk.ways(one.now)[0].timeout == 3.0
    assert not one.trunk.ways(one.now)[0].is_probe


@pytest.mark.parametrize("outcome", ["timeout", "transport"])
def test_what_a_call_finds_dead_is_passed_over_until_two_good_probes(outcome: str) -> None:
    one = line()
    one.walk(3)
    one.carriers[ONE] = silent
    one.trunk.report(flow(ONE), outcome, one.now)
    assert hosts(one) == [TWO]
    assert hosts(one, dead_too=True) == [TWO, ONE]
    assert one.trunk.ways(one.now, dead_too=True)[1].is_probe
    one.walk(120)
    assert hosts(one) == [TWO]
    one.carriers[ONE] = well
    probes = len(one.requests("OPTIONS", ONE))
    while hosts(one) == [TWO]:
        one.walk(0.5)
    assert len(one.requests("OPTIONS", ONE)) - probes in (2, 3)  # one may have been on its way
    (down,) = one.logged("trunk.down")
    assert down["address"] == f"udp:{ONE}:5060"
    assert len(one.logged("trunk.up")) == 1


def test_one_good_probe_is_not_enough() -> None:
    one = line()
    one.walk(3)
    one.trunk.report(flow(ONE), "timeout", one.now)
    answers = iter([True, False, True, True])
    one.carriers[ONE] = lambda request, now: well(request, now) if next(answers, True) else None
    one.walk(5.1)
    assert hosts(one) == [TWO]


def test_probes_find_out_what_is_dead_without_a_call() -> None:
    one = line(options_interval=20.0)
    one.walk(5)
    assert one.requests("OPTIONS", ONE)
    one.carriers[ONE] = silent
    one.walk(20 + 2 * 3 + 1.1)
    assert hosts(one) == [TWO]


def test_one_lost_probe_does_not_kill() -> None:
    one = line(ONE, options_interval=20.0)
    one.walk(5)
    one.carriers[ONE] = silent
    one.walk(16 + 3)
    one.carriers[ONE] = well
    one.walk(60)
    assert not one.logged("trunk.down")


def test_any_answer_to_a_probe_is_a_good_one_but_503() -> None:
    one = line(ONE, options_interval=20.0)
    one.carriers[ONE] = lambda request, now: request.response(405, to_tag="x")
    one.walk(100)
    assert hosts(one) == [ONE]
    one.carriers[ONE] = lambda request, now: request.response(503, to_tag="x")
    one.walk(30)
    assert hosts(one) == []


def test_an_icmp_error_ends_a_probe_at_once() -> None:
    one = line(ONE, options_interval=20.0)
    one.walk(5)
    one.carriers[ONE] = silent
    while len(one.sent) == 1:
        one.walk(0.1)
    one.endpoint.flow_failed(flow(ONE), one.now, "refused")
    one.tell()
    one.walk(1.1)
    one.endpoint.flow_failed(flow(ONE), one.now, "refused")
    one.tell()
    assert hosts(one) == []


def test_retry_after_is_honoured_and_the_probes_wait_too() -> None:
    one = line()
    one.walk(3)
    before = len(one.requests("OPTIONS", ONE))
    one.trunk.report(flow(ONE), 503, one.now, retry_after=60.0)
    one.walk(59)
    assert hosts(one) == [TWO]
    assert len(one.requests("OPTIONS", ONE)) == before
    one.walk(15)
    assert hosts(one) == [ONE, TWO]


def test_a_retry_after_of_years_is_not_believed() -> None:
    one = line(options_interval=0.0)
    one.trunk.report(flow(ONE), 503, one.now, retry_after=1e9)
    one.walk(3599)
    assert hosts(one) == [TWO]
    one.walk(2)
    assert hosts(one) == [ONE, TWO]


def test_a_503_without_retry_after_is_no_reason_to_stay_away() -> None:
    one = line()
    one.trunk.report(flow(ONE), 503, one.now)
    one.trunk.report(flow(ONE), 404, one.now)
    assert hosts(one) == [ONE, TWO]


def test_without_probes_a_dead_address_is_tried_again_after_half_a_minute() -> None:
    one = line(options_interval=0.0)
    one.trunk.report(flow(ONE), "timeout", one.now)
    one.walk(29)
    assert hosts(one) == [TWO]
    one.walk(2)
    assert hosts(one) == [ONE, TWO]
    one.trunk.report(flow(ONE), "answered", one.now)
    assert len(one.logged("trunk.up")) == 1
    assert not one.sent


def test_names_are_looked_up_in_the_background_and_a_call_never_waits() -> None:
    one = Line({"name": "acme", "address": "sip:carrier.example", "options_interval": 0.0})
    one.names.is_dead = True
    one.start()
    assert hosts(one) == []
    one.names.is_dead = False
    one.names.hops["carrier.example"] = [Hop("TCP", TWO, 5080), Hop("UDP", ONE, 5060)]
    one.walk(60)
    assert hosts(one) == [TWO, ONE]
    assert one.trunk.ways(one.now)[0].flow.transport == "TCP"
    one.names.is_dead = True  # what was known goes on being used
    one.walk(600)
    assert hosts(one) == [TWO, ONE]
    assert len(one.names.asked) > 5


def test_an_address_that_the_name_no_longer_has_is_forgotten() -> None:
    one = Line({"name": "acme", "address": "sip:carrier.example", "options_interval": 10.0})
    one.carriers = {ONE: well, TWO: well}
    one.names.hops["carrier.example"] = [Hop("UDP", ONE, 5060)]
    one.start()
    one.walk(3)
    one.names.hops["carrier.example"] = [Hop("UDP", TWO, 5060)]
    one.walk(61)
    before = len(one.requests("OPTIONS", ONE))
    one.walk(60)
    assert hosts(one) == [TWO]
    assert len(one.requests("OPTIONS", ONE)) == before
    assert not one.trunks.is_source(ONE)
    assert one.trunks.is_source(TWO)


def test_more_addresses_than_ten_are_not_used() -> None:
    one = Line({"name": "acme", "address": "sip:carrier.example", "options_interval": 0.0})
    one.names.hops["carrier.example"] = [Hop("UDP", f"198.51.100.{n}", 5060) for n in range(200)]
    one.start()
    assert len(hosts(one)) == 10


def test_an_address_without_a_way_is_no_way() -> None:
    one = line()
    one.no_way = {ONE}
    assert hosts(one) == [TWO]
    one.walk(60)
    assert one.logged("trunk.down")[0]["reason"] == "no way"


def test_a_long_request_that_went_by_tcp_is_of_the_same_address() -> None:
    one = line()
    one.trunk.report(flow(ONE, "TCP"), "timeout", one.now)
    assert hosts(one) == [TWO]
    one.trunk.report(flow("203.0.113.1"), "timeout", one.now)
    assert hosts(one) == [TWO]


def test_the_probe_is_a_whole_request() -> None:
    one = line(ONE, domain="carrier.example", from_user="acct")
    one.walk(3)
    (request,) = one.requests("OPTIONS")
    request.validate()
    assert str(request.uri) == "sip:carrier.example"
    assert str(request.from_.uri) == "sip:acct@carrier.example"
    assert request.contacts
    assert sip.parse(bytes(request)) == request


def test_dead_addresses_are_told_to_the_other_workers() -> None:
    leader, other = line(), Line({"name": "acme", "address": [f"sip:{ONE}", f"sip:{TWO}"]}, is_leader=False)
    other.start()
    leader.walk(3)
    leader.trunk.report(flow(ONE), "timeout", leader.now)
    news = leader.trunks.export("acme")
    assert news is not None
    other.trunks.learn(news, other.now)
    other.walk(300)
    assert hosts(other) == [TWO]
    leader.walk(20)
    news = leader.trunks.export("acme")
    assert news is not None
    other.trunks.learn(news, other.now)
    assert hosts(other) == [ONE, TWO]
    assert not other.sent


def test_what_another_worker_finds_itself_rests_for_half_a_minute() -> None:
    other = Line({"name": "acme", "address": [f"sip:{ONE}", f"sip:{TWO}"]}, is_leader=False)
    other.start()
    other.trunk.report(flow(ONE), "timeout", other.now)
    assert hosts(other) == [TWO]
    other.walk(31)
    assert hosts(other) == [ONE, TWO]


def test_a_thousand_trunks_cost_nothing_to_wait_for() -> None:
    configs = [
        {"name": f"t{n}", "address": f"sip:198.51.{n // 250}.{n % 250 + 1}", "options_interval": 60.0}
        for n in range(1000)
    ]
    one = Line(*configs)
    one.start()
    assert one.trunks.next_timer() is not None
    one.walk(3)
    assert len(one.requests("OPTIONS")) == 1000


def mute(request: sip.Request, now: float) -> sip.Response | None:
    """A carrier that answers calls, and no OPTIONS."""
    return None if request.method == "OPTIONS" else well(request, now)


def test_who_answers_calls_and_no_options_lives() -> None:
    one = line(ONE, options_interval=20.0)
    one.carriers[ONE] = mute
    one.trunk.report(flow(ONE), 486, one.now)
    one.walk(3600)
    assert hosts(one) == [ONE]
    assert len(one.requests("OPTIONS")) > 100
    assert not one.logged("trunk.down")


def test_a_call_answered_while_probes_are_lost_keeps_an_address_alive() -> None:
    one = line(ONE, options_interval=20.0)
    one.walk(5)
    one.carriers[ONE] = silent
    for _ in range(10):
        one.trunk.report(flow(ONE), "answered", one.now)
        one.walk(15)
    assert not one.logged("trunk.down")
    one.walk(60)  # no calls, no answers
    assert hosts(one) == []


def test_who_never_answered_options_is_called_again_after_a_rest_that_doubles() -> None:
    one = line(ONE, options_interval=20.0)
    one.carriers[ONE] = mute
    one.trunk.report(flow(ONE), 200, one.now)
    one.walk(100)
    rests = []
    for _ in range(6):
        one.trunk.report(flow(ONE), "timeout", one.now)
        began = one.now
        while not hosts(one):
            one.walk(1)
        rests.append(round(one.now - began))
    assert rests == [30, 60, 120, 240, 300, 300]
    one.trunk.report(flow(ONE), "answered", one.now)
    one.walk(3)
    assert len(one.logged("trunk.up")) == 1
    one.trunk.report(flow(ONE), "timeout", one.now)
    one.walk(31)
    assert hosts(one) == [ONE]


def test_an_address_that_said_nothing_ever_is_called_when_no_other_lives() -> None:
    one = line(options_interval=20.0)
    one.carriers[ONE] = mute
    while not one.logged("trunk.down"):
        one.walk(1)
    assert hosts(one) == [TWO]
    one.trunk.report(flow(TWO), "timeout", one.now)
    assert hosts(one) == [ONE]
    one.trunk.report(flow(ONE), "timeout", one.now)
    assert hosts(one) == []
    one.walk(31)
    one.trunk.report(flow(TWO), "timeout", one.now)
    one.trunk.report(flow(ONE), 180, one.now)
    assert one.logged("trunk.up")


def test_silence_to_one_call_says_nothing_when_others_were_answered_meanwhile() -> None:
    one = line(ONE)
    one.walk(3)
    one.trunk.report(flow(ONE), 200, one.now)
    one.walk(1)
    one.trunk.report(flow(ONE), "timeout", one.now)
    assert hosts(one) == [ONE]
    one.walk(3)
    one.trunk.report(flow(ONE), "timeout", one.now)
    assert hosts(one) == []


def test_news_of_a_death_do_not_reach_who_has_just_been_answered() -> None:
    leader, other = line(ONE), Line({"name": "acme", "address": [f"sip:{ONE}"]}, is_leader=False)
    other.start()
    leader.walk(3)
    leader.trunk.report(flow(ONE), "timeout", leader.now)
    news = leader.trunks.export("acme")
    assert news is not None
    other.walk(3)
    other.trunk.report(flow(ONE), 200, other.now)
    other.trunks.learn(news, other.now)
    assert hosts(other) == [ONE]
    other.walk(31)
    other.trunks.learn(news, other.now)
    assert hosts(other) == []


def test_a_carrier_that_starts_after_the_switch_is_found_by_probes_soon() -> None:
    """The rest that calls keep does not stop the probes."""
    one = line(options_interval=20.0)
    one.carriers[ONE] = silent
    while not one.logged("trunk.down"):
        one.walk(1)
    one.carriers[ONE] = well
    one.walk(12)
    assert hosts(one) == [ONE, TWO]
    assert one.logged("trunk.up")


# -- trunks that strangers have made by REST


def test_a_name_that_comes_to_lead_inside_is_fenced_off() -> None:
    """It was looked at when the trunk was made; its owner may point it elsewhere since (THREATS C11)."""
    one = Line(may_reach=lambda host: host != TWO)
    one.carriers = dict.fromkeys((ONE, TWO), well)
    one.names.hops["pbx.example.com"] = [Hop("UDP", ONE, 5060)]
    trunk = HostedTrunk.model_validate({"name": "theirs", "address": "sip:pbx.example.com"})
    one.trunks.reconfigure([trunk], one.now)
    one.start()
    assert hosts(one) == [ONE]
    one.names.hops["pbx.example.com"] = [Hop("UDP", TWO, 5060)]
    one.walk(120)
    assert hosts(one) == []
    assert not one.requests("OPTIONS", TWO)
    assert one.logged("trunk.fenced_off")[0] == {"trunk": "theirs", "name": "pbx.example.com"}


def test_a_trunk_of_the_file_goes_where_it_says() -> None:
    one = Line({"name": "acme", "address": f"sip:{TWO}"}, may_reach=lambda host: False)
    one.carriers = {TWO: well}
    one.start()
    assert hosts(one) == [TWO]
