"""How calls look to a trunk and from it, whose requests are its own, and who answers its challenges."""

from __future__ import annotations

from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.digest import Challenge
from switchroom.protocols.sip.locating import Hop
from switchroom.switch.calls.identity import ANONYMOUS, Diversion, Identity
from switchroom.switch.calls.trunks import Dress
from switchroom.switch.config import Config
from tests.switch.calls.trunks.line import Line, Registrar, flow

CARRIER = "198.51.100.1"
ALICE = Identity("+4930123401", "Alice")
HIDDEN = Identity("+4930123401", "Alice", is_private=True)


def line(**config: Any) -> Line:
    return Line({"name": "acme", "address": f"sip:{CARRIER}", "options_interval": 0.0, **config})


def dressed(caller: Identity = ALICE, number: str = "+442079460018", **config: Any) -> Dress:
    one = line(**config)
    one.start()
    return one.trunk.dress(caller, number, flow(CARRIER), one.now)


# -- out


def test_a_plain_trunk() -> None:
    dress = dressed()
    assert dress.uri == f"sip:+442079460018@{CARRIER}"
    assert dress.from_ == f'"Alice" <sip:+4930123401@{CARRIER}>'
    assert dress.to == f"<sip:+442079460018@{CARRIER}>"
    assert dress.headers == []


@pytest.mark.parametrize(
    ("config", "uri"),
    [
        ({"address": "sip:carrier.example"}, "sip:+44@carrier.example"),
        ({"address": "sip:198.51.100.1:5080;transport=tcp"}, "sip:+44@198.51.100.1:5080;transport=tcp"),
        ({"address": "sip:198.51.100.1;transport=tls"}, "sip:+44@198.51.100.1"),
        ({"address": "sips:198.51.100.1"}, "sips:+44@198.51.100.1"),
        ({"address": "sip:[2001:db8::1]:5080"}, "sip:+44@[2001:db8::1]:5080"),
        ({"domain": "ims.example"}, "sip:+44@ims.example"),
        ({"address": "sip:ims.example", "proxy": "sip:198.51.100.1"}, "sip:+44@ims.example"),
        ({"address": [], "proxy": "sip:198.51.100.1"}, "sip:+44@198.51.100.1"),
    ],
)
def test_the_request_uri(config: dict[str, Any], uri: str) -> None:
    dress = dressed(number="+44", **config)
    assert dress.uri == uri
    sip.Uri.parse(uri)


def test_of_several_addresses_the_one_that_is_called() -> None:
    one = line(address=["sip:a.example", "sip:b.example:5080"])
    one.names.hops = {
        "a.example": [Hop("UDP", "198.51.100.1", 5060)],
        "b.example": [Hop("UDP", "198.51.100.2", 5080)],
    }
    one.start()
    uris = [one.trunk.dress(ALICE, "1", way.flow, one.now).uri for way in one.trunk.ways(one.now)]
    assert uris == ["sip:1@a.example", "sip:1@b.example:5080"]


@pytest.mark.parametrize(
    ("config", "caller", "from_", "headers"),
    [
        ({}, HIDDEN, ANONYMOUS, []),
        ({"privacy": "always"}, ALICE, ANONYMOUS, []),
        ({"privacy": "off"}, HIDDEN, '"Alice" <sip:+4930123401@198.51.100.1>', []),
        ({"from_user": "acct"}, ALICE, '"Alice" <sip:acct@198.51.100.1>', []),
        ({"from_user": "acct"}, HIDDEN, ANONYMOUS, []),
        (
            {"caller_id": "p-asserted-identity", "from_user": "acct"},
            ALICE,
            '"Alice" <sip:acct@198.51.100.1>',
            [("P-Asserted-Identity", '"Alice" <sip:+4930123401@198.51.100.1>')],
        ),
        (
            {"caller_id": "p-asserted-identity"},
            HIDDEN,
            ANONYMOUS,
            [("P-Asserted-Identity", '"Alice" <sip:+4930123401@198.51.100.1>'), ("Privacy", "id")],
        ),
        (
            {"caller_id": "remote-party-id"},
            ALICE,
            '"Alice" <sip:+4930123401@198.51.100.1>',
            [
                (
                    "Remote-Party-ID",
                    '"Alice" <sip:+4930123401@198.51.100.1>;party=calling;screen=yes;privacy=off',
                )
            ],
        ),
        ({"caller_number": "+4930123400"}, Identity("201"), "<sip:+4930123400@198.51.100.1>", []),
        ({"caller_number": "+4930123400"}, ALICE, '"Alice" <sip:+4930123401@198.51.100.1>', []),
        (
            {"number_out": "national", "country": "DE"},
            ALICE,
            '"Alice" <sip:030123401@198.51.100.1>',
            [],
        ),
    ],
)
def test_the_caller(
    config: dict[str, Any], caller: Identity, from_: str, headers: list[tuple[str, str]]
) -> None:
    dress = dressed(caller, **config)
    assert (dress.from_, dress.headers) == (from_, headers)


def test_numbers_go_out_as_the_carrier_wants_them() -> None:
    dress = dressed(number="0171 2345678", number_out="e164-plain", country="DE")
    assert dress.uri == f"sip:491712345678@{CARRIER}"
    assert dress.to == f"<sip:491712345678@{CARRIER}>"


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("none", []),
        ("diversion", ["Diversion"]),
        ("history-info", ["History-Info"]),
        ("both", ["Diversion", "History-Info"]),
    ],
)
def test_forwardings_are_told_if_the_carrier_wants_to_know(form: str, names: list[str]) -> None:
    caller = Identity("+4930123401", diversions=(Diversion("03012349", "user-busy"),))
    dress = dressed(caller, diversion=form, number_out="e164", country="DE")
    assert [name for name, _ in dress.headers] == names
    assert all("+493012349" in value for _, value in dress.headers)


def test_rules_write_and_take_away() -> None:
    dress = dressed(
        HIDDEN,
        caller_id="p-asserted-identity",
        headers=[
            {"direction": "out", "action": "add", "header": "X-Tenant", "value": "blue"},
            {"direction": "out", "action": "remove", "header": "Privacy"},
        ],
    )
    assert [name for name, _ in dress.headers] == ["P-Asserted-Identity", "X-Tenant"]


def test_rules_copy_to_and_from_the_trunk() -> None:
    one = line(
        headers=[
            {"direction": "out", "action": "copy", "header": "X-*"},
            {"direction": "in", "action": "copy", "header": "User-to-User"},
            {"direction": "in", "action": "add", "header": "X-Trunk", "value": "acme"},
            {"direction": "in", "action": "remove", "header": "X-Secret"},
            {"direction": "out", "action": "remove", "header": "X-Inner"},
        ]
    )
    request = one.request(X_A="1", X_Inner="2", X_Secret="3", User_to_User="00")
    assert one.trunk.headers_out(request) == [("X-A", "1"), ("X-Secret", "3")]
    assert one.trunk.headers_in(request) == [("User-to-User", "00"), ("X-Trunk", "acme")]
    one.trunk.strip_in(request)
    assert "X-Secret" not in request


def test_the_outbound_proxy_is_a_route() -> None:
    dress = dressed(address="sip:ims.example", proxy="sip:198.51.100.1:5080;transport=tcp")
    assert dress.headers == [("Route", "<sip:198.51.100.1:5080;transport=tcp;lr>")]


def test_a_service_route_that_begins_with_the_proxy_does_not_name_it_twice() -> None:
    registrar = Registrar()
    registrar.headers = [("Service-Route", f"<sip:{CARRIER};lr>, <sip:core.example;lr>")]
    one = line(
        address="sip:ims.example", proxy=f"sip:{CARRIER}", username="acct", password="secret",
        registrations=[{"aor": "sip:acct@carrier.example"}],
    )  # fmt: skip
    one.carriers[CARRIER] = registrar
    one.start()
    one.walk(2)
    assert one.trunk.routes(one.now) == (f"<sip:{CARRIER};lr>", "<sip:core.example;lr>")


# -- in


def test_what_an_untrusted_trunk_asserts_is_not_believed() -> None:
    one = line(trusted=False)
    found = one.trunk.undress(one.request(P_Asserted_Identity="<sip:+49110@x>", Diversion="<sip:1@x>"))
    assert found == Identity("+49301")


def test_what_a_trusted_trunk_asserts_is_read_in_our_form() -> None:
    one = line(trusted=True, number_in="national", country="DE")
    found = one.trunk.undress(
        one.request(P_Asserted_Identity="<sip:03012345@x>", Diversion="<sip:03054321@x>")
    )
    assert found == Identity("+493012345", diversions=(Diversion("+493054321"),), is_asserted=True)


@pytest.mark.parametrize(
    ("config", "called"),
    [
        ({}, "acct"),
        ({"called_in": "to"}, "+493012345"),
        ({"called_in": "p-called-party-id"}, "+493054321"),
    ],
)
def test_whom_a_call_is_for(config: dict[str, Any], called: str) -> None:
    one = line(number_in="national", country="DE", **config)
    request = one.request(user="acct", To="<sip:03012345@x>", P_Called_Party_ID="<sip:03054321@x>")
    assert one.trunk.called(request) == called


def test_without_a_called_party_the_request_uri_counts() -> None:
    one = line(called_in="p-called-party-id")
    assert one.trunk.called(one.request(user="200")) == "200"


# -- whose request


def test_sources_and_certificates() -> None:
    one = Line(
        {"name": "net", "sources": ["198.51.100.0/28", "2001:db8:5::/48"]},
        {"name": "named", "tls_names": ["SIP.Carrier.example"]},
        {"name": "far", "address": "sip:203.0.113.9"},
    )

    def whose(host: str, *names: str) -> str | None:
        trunk = one.trunks.identify(flow(host, "TLS"), one.request(), one.now, names)
        return None if trunk is None else trunk.name

    assert whose("198.51.100.3") == "net"
    assert whose("2001:db8:5::7%eth0") == "net"
    assert whose("198.51.100.16") is None
    assert whose("203.0.113.9") is None  # where we call out is not who may call in
    assert whose("203.0.113.9", "sip.carrier.example") == "named"
    assert whose("203.0.113.9", "sip:sip.carrier.example") == "named"
    assert whose("203.0.113.9", "evil.example", "*.carrier.example") is None
    assert one.trunks.is_source("198.51.100.3")
    assert not one.trunks.is_source("203.0.113.10")


def test_the_registrar_may_call_in_as_long_as_we_are_registered() -> None:
    one = line(username="acct", password="secret", registrations=[{"aor": "sip:acct@carrier.example"}])
    one.carriers[CARRIER] = Registrar()
    assert one.trunks.identify(flow(CARRIER), one.request(), one.now) is None
    one.start()
    one.walk(2)
    assert one.trunks.identify(flow(CARRIER), one.request(), one.now) is one.trunk
    assert one.trunks.identify(flow("198.51.100.2"), one.request(), one.now) is None
    one.trunks.stop(one.now)
    one.settle()
    assert one.trunks.identify(flow(CARRIER), one.request(), one.now) is None


def test_two_accounts_at_one_carrier_are_told_apart_by_our_contact() -> None:
    one = Line(
        *[
            {
                "name": name,
                "address": f"sip:{CARRIER}",
                "sources": [CARRIER],
                "registrations": [{"aor": f"sip:{name}@carrier.example", "contact_user": f"in-{name}"}],
            }
            for name in ("blue", "red")
        ]
    )
    for user, name in (("in-red", "red"), ("red", "red"), ("blue", "blue"), ("other", "blue")):
        found = one.trunks.identify(flow(CARRIER), one.request(user=user), one.now)
        assert found is not None
        assert found.name == name


def test_many_sources_are_not_remembered_without_bound() -> None:
    one = line(sources=["198.51.100.0/24"])
    for n in range(12_000):
        one.trunks.identify(flow(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"), one.request(), one.now)
    assert len(one.trunks._of_host) == 10_000
    assert one.trunks.identify(flow("198.51.100.77"), one.request(), one.now) is one.trunk


# -- challenges


def challenge(request: sip.Request, realm: str) -> sip.Response:
    header = ("Proxy-Authenticate", str(Challenge(realm, "n1")))
    return request.response(407, to_tag="x", headers=[header])


def test_its_challenges_are_answered_and_nobody_elses() -> None:
    one = line(username="acct", password="secret", realm="carrier.example")
    authorizer = one.trunk.authorizer()
    assert authorizer is not None
    request = one.request()
    assert not authorizer.authorize(challenge(request, "phone.example"), request)
    assert "Proxy-Authorization" not in request
    assert authorizer.authorize(challenge(request, "carrier.example"), request)
    assert 'username="acct"' in (request.get("Proxy-Authorization") or "")
    assert line().trunk.authorizer() is None


# -- counting and reload


def test_calls_are_counted_over_a_reload() -> None:
    one = line(max_calls=1)
    one.trunk.take()
    assert one.trunk.admit("1", one.now) == sip.Refusal(503, (("Retry-After", "10"),))
    config = one.trunk.config.model_copy(update={"max_calls": 2})
    one.trunks.reconfigure([config], one.now)
    assert one.trunk.admit("1", one.now) is None
    assert one.trunk.admit("1", one.now, is_outgoing=False) is None
    one.trunk.give_back()
    assert one.trunk.calls == 0


def test_the_state_for_people() -> None:
    one = line(username="acct", password="secret", registrations=[{"aor": "sip:acct@carrier.example"}])
    one.carriers[CARRIER] = Registrar()
    one.start()
    one.walk(2)
    (row,) = one.trunks.rows(one.now)
    assert row["trunk"] == "acme"
    assert row["addresses"] == f"udp:{CARRIER}:5060 up"
    assert str(row["registrations"]).startswith(
        f"sip:acct@carrier.example registered at udp:{CARRIER}:5060 for 59"
    )
    assert "secret" not in str(row)


# -- the file


@pytest.mark.parametrize(
    ("trunk", "fault"),
    [
        ({"address": "sip:x:0"}, "port from 1"),
        ({"address": "sip:a_b"}, "must name a host"),
        ({"address": "http://x"}, "must be sip:HOST"),
        ({"address": "sips:x;transport=udp"}, "goes over TLS"),
        ({"username": "a"}, "password: is missing"),
        ({"username_in": "a"}, "password_in: is missing"),
        ({"registrations": [{"aor": "sip:a@b"}]}, "registrations.0.registrar: is missing"),
        ({"address": "sip:x", "registrations": [{"aor": "a@b"}]}, "must be sip:USER@DOMAIN"),
        ({"country": "de"}, "two capital letters"),
        ({"codecs": ["PC MA"]}, "must be a codec"),
        ({"timeout": 0.1}, "greater"),
        ({"tls_names": [""]}, "certificate"),
        (
            {"registrations": [{"aor": "sip:a@b", "contact_user": "a@b"}], "address": "sip:x"},
            "letters, digits",
        ),
        ({"username_in": "bob", "password_in": "x"}, "a user or another trunk has it"),
    ],
)
def test_faults_in_the_file(trunk: dict[str, Any], fault: str) -> None:
    users = [{"name": "bob", "password": "x"}]
    with pytest.raises(ValueError, match=fault):
        Config.model_validate({"users": users, "trunks": [{"name": "t", **trunk}]})


@pytest.mark.parametrize(
    ("text", "host", "port", "transport", "is_secure"),
    [
        ("sip:Carrier.example", "carrier.example", None, None, False),
        ("sip:192.0.2.1", "192.0.2.1", None, None, False),
        ("sip:[2001:DB8::1]:5070;transport=TCP", "2001:db8::1", 5070, "TCP", False),
        ("sip:x;transport=tls", "x", None, "TLS", True),
        ("sips:x", "x", None, "TLS", True),
        ("sip:x;transport=wss", "x", None, "WSS", True),
    ],
)
def test_addresses_in_the_file(
    text: str, host: str, port: int | None, transport: str | None, is_secure: bool
) -> None:
    config = Config.model_validate({"trunks": [{"name": "t", "address": text}]})
    (found,) = config.trunks[0].targets
    assert found[:4] == (host, port, transport, is_secure)
