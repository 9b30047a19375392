"""Registrations at a carrier: digest, refresh, back-off, flows, Service-Route, good-bye (RFC 3261 §10)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.digest import Nonces
from switchroom.switch.calls.trunks import Registration
from switchroom.switch.config import TrunkConfig
from tests.switch.calls.trunks.line import Line, Registrar, flow, silent

CARRIER = "198.51.100.1"
SECOND = "198.51.100.2"


def config(**changes: Any) -> dict[str, Any]:
    registration = {"aor": "sip:acct@carrier.example", **changes.pop("registration", {})}
    return {
        "name": "acme",
        "address": f"sip:{CARRIER}",
        "username": "acct",
        "password": "secret",
        "options_interval": 0.0,
        "registrations": [registration],
        **changes,
    }


def line(registrar: Any = None, **changes: Any) -> Line:
    made = Line(config(**changes))
    made.carriers[CARRIER] = registrar or Registrar()
    made.start()
    return made


def first(line: Line) -> Registration:
    return line.trunk.registrations[0]


def test_it_registers_with_digest() -> None:
    registrar = Registrar()
    one = line(registrar)
    one.walk(2)
    assert first(one).is_registered(one.now)
    assert registrar.contact == "sip:acct@192.0.2.1:5060"
    requests = one.requests("REGISTER")
    assert [request.cseq.number for request in requests] == [1, 2]
    assert len({request.call_id for request in requests}) == 1
    assert str(requests[0].uri) == "sip:carrier.example"
    assert requests[0].get("Supported") == "path"
    assert one.logged("trunk.registered")


def test_it_refreshes_early_and_with_the_challenge_of_last_time() -> None:
    registrar = Registrar()
    registrar.granted = 200
    one = line(registrar, registration={"refresh": 0.75})
    one.walk(2)
    granted_at = first(one).expires_at - 200
    before = len(one.requests("REGISTER"))
    one.walk(granted_at + 200 * 0.75 - one.now)
    assert len(one.requests("REGISTER")) == before + 1  # no second 401
    assert first(one).expires_at >= granted_at + 200 * 0.75 * 0.95 + 200
    assert registrar.has_accepted == 2


def test_a_stale_nonce_is_renewed() -> None:
    registrar = Registrar()
    registrar.nonces.lifetime = 60.0
    one = line(registrar)
    one.walk(2 + 600)
    assert registrar.has_accepted >= 2
    assert first(one).is_registered(one.now)
    last = one.requests("REGISTER")[-1].get("Authorization") or ""
    assert "nc=00000001" in last


def test_a_registrar_that_forgot_its_nonces_and_does_not_call_ours_stale_is_answered() -> None:
    registrar = Registrar()
    registrar.says_stale = False
    one = line(registrar)
    one.walk(2)
    registrar.nonces = Nonces(b"y" * 32)  # it was started anew
    one.walk(480)
    assert registrar.has_accepted == 2
    assert not one.logged("trunk.not_registered")


def test_a_wrong_password_is_tried_once_and_then_waits() -> None:
    one = line(Registrar(password="other"))
    one.walk(10)
    assert len(one.requests("REGISTER")) == 2
    assert first(one).fault == "401 Unauthorized"
    one.walk(4 * 3600)
    times = [at for at, request, _ in one.sent if "Authorization" not in request]
    assert len(times) <= 2 * 14  # the waits double, up to half an hour
    tries = [at for at, _, _ in one.sent]
    gaps = [after - before for before, after in pairwise(tries) if after - before > 1]
    assert gaps[0] >= 15
    assert max(gaps) <= 1801
    assert gaps[-1] >= 900
    assert len(one.logged("trunk.not_registered")) <= 5  # the 1st, 2nd, 4th, 8th...


def test_another_realm_gets_no_credentials() -> None:
    one = line(Registrar(realm="evil.example"), realm="carrier.example")
    one.walk(5)
    (request,) = one.requests("REGISTER")
    assert "Authorization" not in request


def test_without_a_password_nothing_is_answered() -> None:
    one = line(username="", password="")
    one.walk(5)
    assert len(one.requests("REGISTER")) == 1
    assert first(one).fault == "401 Unauthorized"


def test_an_interval_too_brief_is_asked_again_as_the_registrar_wants() -> None:
    registrar = Registrar(least=1800)
    registrar.granted = 3600
    one = line(registrar, registration={"expires": 60})
    one.walk(2)
    assert first(one).is_registered(one.now)
    assert first(one).expires_at - one.now > 1700
    assert one.requests("REGISTER")[-1].expires == 1800


def test_min_expires_that_says_nothing_is_a_refusal() -> None:
    def refuse(request: sip.Request, now: float) -> sip.Response:
        return request.response(423, to_tag="x", headers=[("Min-Expires", "99999999999")])

    one = line(refuse)
    one.walk(3)
    assert len(one.requests("REGISTER")) == 1
    assert first(one).fault.startswith("423")


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ([("Contact", "<sip:acct@192.0.2.1:5060>;expires=120"), ("Expires", "900")], 120),
        ([("Contact", "<sip:acct@192.0.2.1:5060>"), ("Expires", "90")], 90),
        ([("Contact", "<sip:acct@192.0.2.1:5060>")], 600),
        ([("Contact", "<sip:other@192.0.2.9>;expires=5, <sip:acct@192.0.2.1:5060>;expires=70")], 70),
        ([], 600),
    ],
)
def test_what_is_granted_is_what_counts(headers: list[tuple[str, str]], granted: int) -> None:
    one = line(lambda request, now: request.response(200, to_tag="x", headers=headers))
    one.walk(2)
    at = next(at for at, _, _ in one.sent)
    assert first(one).expires_at == pytest.approx(at + granted)


def test_a_server_that_is_silent_is_passed_over() -> None:
    registrar = Registrar()
    one = Line(config(address=[f"sip:{CARRIER}", f"sip:{SECOND}"]))
    one.carriers = {CARRIER: silent, SECOND: registrar}
    one.start()
    one.walk(12)
    assert first(one).flow is not None
    assert first(one).flow.remote[0] == SECOND
    assert one.trunk.ways(one.now)[0].flow.remote[0] == SECOND  # calls go where we are known


def test_a_server_that_is_overloaded_is_passed_over_and_retry_after_is_kept() -> None:
    def overloaded(request: sip.Request, now: float) -> sip.Response:
        return request.response(503, to_tag="x", headers=[("Retry-After", "300 (later)")])

    one = line(overloaded)
    one.walk(250)
    assert len(one.requests("REGISTER")) == 1
    one.walk(60)
    assert len(one.requests("REGISTER")) == 2


def test_a_refresh_that_fails_leaves_the_binding_until_it_expires() -> None:
    registrar = Registrar()
    one = line(registrar)
    one.walk(2)
    one.carriers[CARRIER] = silent
    one.walk(480)
    assert first(one).is_registered(one.now)
    assert first(one).fault == "no answer"
    one.walk(140)
    assert not first(one).is_registered(one.now)
    one.carriers[CARRIER] = registrar
    one.walk(300)
    assert first(one).is_registered(one.now)
    assert not first(one).fault


def test_a_broken_connection_is_registered_over_anew() -> None:
    registrar = Registrar()
    one = line(registrar, address=f"sip:{CARRIER};transport=tcp")
    one.walk(2)
    assert registrar.contact == "sip:acct@192.0.2.1:5060;transport=tcp"
    broken = flow(CARRIER, "TCP")
    one.trunks.flow_failed(flow("198.51.100.9", "TCP"), "closed", one.now)
    assert first(one).is_registered(one.now)
    before = registrar.has_accepted
    one.trunks.flow_failed(broken, "closed", one.now)
    assert not first(one).is_registered(one.now)
    one.walk(3)
    assert first(one).is_registered(one.now)
    assert registrar.has_accepted == before + 1


def test_an_icmp_error_does_not_unregister() -> None:
    one = line()
    one.walk(2)
    one.trunks.flow_failed(flow(CARRIER), "refused", one.now)
    assert first(one).is_registered(one.now)


def test_the_service_route_is_taken_for_calls_behind_the_proxy() -> None:
    registrar = Registrar()
    registrar.headers = [("Service-Route", "<sip:edge.carrier.example;lr>, <sip:core.carrier.example;lr>")]
    one = line(registrar, address="sip:carrier.example", proxy=f"sip:{CARRIER}")
    one.walk(2)
    assert one.requests("REGISTER")[0].get("Route") == f"<sip:{CARRIER};lr>"
    assert one.trunk.routes(one.now) == (
        f"<sip:{CARRIER};lr>",
        "<sip:edge.carrier.example;lr>",
        "<sip:core.carrier.example;lr>",
    )
    registrar.headers = []
    one.walk(600)
    assert one.trunk.routes(one.now) == (f"<sip:{CARRIER};lr>",)


@pytest.mark.parametrize("text", ["<sip:edge.carrier.example>", "<mailto:x@y>", "nonsense", '"'])
def test_a_service_route_that_nobody_can_follow_is_left_out(text: str) -> None:
    registrar = Registrar()
    registrar.headers = [("Service-Route", text)]
    one = line(registrar)
    one.walk(2)
    assert first(one).is_registered(one.now)
    assert one.trunk.routes(one.now) == ()


def test_a_registrar_that_drops_our_contact_is_a_failure() -> None:
    one = line(
        lambda request, now: request.response(
            200, to_tag="x", headers=[("Contact", "<sip:acct@192.0.2.1:5060>;expires=0")]
        )
    )
    one.walk(3)
    assert not first(one).is_registered(one.now)
    assert "contact" in first(one).fault


def test_stopping_takes_the_binding_back_with_digest() -> None:
    registrar = Registrar()
    one = line(registrar)
    one.walk(2)
    registrar.nonces = Nonces(b"y" * 32)  # the good-bye is challenged: nothing of before is valid
    one.trunks.stop(one.now)
    assert not one.trunks.is_idle
    one.settle()
    assert one.trunks.is_idle
    assert registrar.contact == ""
    assert one.requests("REGISTER")[-1].expires == 0
    one.walk(3600)
    assert one.requests("REGISTER")[-1].expires == 0


def test_stopping_gives_up_when_nobody_answers() -> None:
    one = line()
    one.walk(2)
    one.carriers[CARRIER] = silent
    one.trunks.stop(one.now)
    one.walk(9)
    assert one.trunks.is_idle
    assert not one.endpoint.clients


def test_stopping_what_never_registered_says_nothing() -> None:
    one = Line(config())
    one.carriers[CARRIER] = Registrar()
    one.trunks.start(one.now)
    one.trunks.stop(one.now)
    one.walk(10)
    assert one.trunks.is_idle
    assert not one.sent


def test_several_registrations_are_independent() -> None:
    registrar = Registrar()
    one = Line(
        config(registrations=[{"aor": f"sip:49{n}@carrier.example"} for n in range(5)]) | {"username": "acct"}
    )
    one.carriers[CARRIER] = registrar
    one.start()
    one.walk(3)
    assert registrar.has_accepted == 5
    assert all(each.is_registered(one.now) for each in one.trunk.registrations)
    assert len({request.call_id for request in one.requests("REGISTER")}) == 5


def test_a_registrar_of_its_own_and_a_name_of_its_own() -> None:
    registrar = Registrar()
    one = Line(
        config(username="", password="")
        | {"registrations": [
            {"aor": "sip:acct@carrier.example", "registrar": [f"sip:{SECOND}:5070"], "contact_user": "in-7",
             "username": "acct", "password": "secret"}
        ]}
    )  # fmt: skip
    one.carriers[SECOND] = registrar
    one.start()
    one.walk(3)
    assert registrar.contact == "sip:in-7@192.0.2.1:5060"
    assert one.trunk.called(one.request(user="in-7")) == "acct"


def test_a_reload_leaves_registrations_alone_that_have_not_changed() -> None:
    registrar = Registrar()
    one = line(registrar)
    one.walk(2)
    sent = len(one.sent)
    one.trunks.reconfigure([TrunkConfig.model_validate(config(max_calls=3, codecs=["PCMA"]))], one.now)
    one.walk(5)
    assert len(one.sent) == sent
    assert first(one).is_registered(one.now)
    assert one.trunk.config.max_calls == 3


def test_a_reload_with_another_password_registers_anew_and_does_not_unregister_the_heir() -> None:
    registrar = Registrar()
    one = line(registrar)
    one.walk(2)
    one.trunks.reconfigure([TrunkConfig.model_validate(config(password="secret2"))], one.now)
    registrar.a1 = Registrar(password="secret2").a1
    one.walk(5)
    assert first(one).is_registered(one.now)
    assert all(request.expires for request in one.requests("REGISTER"))


def test_a_reload_without_the_trunk_unregisters() -> None:
    registrar = Registrar()
    one = line(registrar)
    one.walk(2)
    one.trunks.reconfigure([], one.now)
    one.walk(5)
    assert registrar.contact == ""
    assert one.trunks.is_idle


def test_the_worker_that_does_not_lead_learns_and_does_not_ask() -> None:
    leader = line()
    told: list[str] = []
    leader.means.on_change = told.append
    leader.walk(2)
    assert told == ["acme"]
    other = Line(config(), is_leader=False)
    other.start()
    other.walk(30)
    assert not other.sent
    news = leader.trunks.export("acme")
    assert news is not None
    other.trunks.learn(news, other.now)
    assert first(other).is_registered(leader.now)
    other.trunks.stop(other.now)
    assert not other.endpoint.datagrams_to_send()


def test_all_that_waits_is_let_go() -> None:
    one = line()
    one.walk(2)
    one.trunks.stop(one.now)
    one.walk(60)
    assert one.trunks.next_timer() is None
    assert not one.endpoint.clients
