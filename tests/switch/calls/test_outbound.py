"""REGISTER with outbound (RFC 5626), Path (RFC 3327) and GRUU (RFC 5627), and who is told of changes."""

from __future__ import annotations

import re

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.flow import Flow

from .test_registrar import DESK, NOW, SWITCH, Kept, contacts_of, make_registrar, make_request, register, told

ID = "urn:uuid:00000000-0000-1000-8000-000a95a0e128"
FIRST, SECOND = (
    Flow("TLS", SWITCH, ("203.0.113.9", port), number) for port, number in ((40001, 7), (40002, 8))
)
EDGE = "<sip:edge.example.com;lr;ob>"
NEAR = "<sip:10.0.0.1:5070;lr>"


def contact(number: int, reg_id: int = 1, instance: str = ID) -> str:
    return f'<sip:1001@203.0.113.9:{number}>;+sip.instance="<{instance}>";reg-id={reg_id}'


def header(answer, name):
    return [value for key, value in answer[2] if key == name]


def flow_register(registrar, text, flow=FIRST, **more):
    return register(registrar, text, flow=flow, **{"Supported": "path, outbound, gruu", **more})


def test_a_new_flow_takes_the_place_of_the_one_with_its_number():
    registrar = make_registrar()
    answer = flow_register(registrar, contact(40001))
    assert header(answer, "Require") == ["outbound"]
    assert header(answer, "Flow-Timer") == ["120"]
    flow_register(registrar, contact(40002), flow=SECOND, call_id="after-a-crash")
    (binding,) = registrar.all(NOW)
    assert (binding.contact, binding.flow) == ("sip:1001@203.0.113.9:40002", SECOND)


def test_without_outbound_contacts_are_what_they_always_were():
    registrar = make_registrar()
    answer = flow_register(registrar, contact(40001), Supported="path")
    assert not header(answer, "Require")
    flow_register(registrar, contact(40002), flow=SECOND, Supported="path")
    assert registrar.count() == 2


def test_a_phone_with_two_flows_rings_once():
    registrar = make_registrar()
    flow_register(registrar, contact(40001, 1))
    flow_register(registrar, contact(40002, 2), flow=SECOND, call_id="c2")
    assert registrar.count() == 2
    assert contacts_of(registrar) == ["sip:1001@203.0.113.9:40002"]
    registrar.flow_failed(SECOND)
    assert contacts_of(registrar) == ["sip:1001@203.0.113.9:40001"]


def test_other_phones_keep_their_place():
    registrar = make_registrar()
    flow_register(registrar, contact(40001))
    flow_register(registrar, contact(40002, 1, "urn:uuid:other"), flow=SECOND, call_id="c2")
    register(registrar, f"<{DESK}>", call_id="c3")
    assert len(registrar.lookup("1001", NOW)) == 3


def test_one_contact_for_each_flow():
    registrar = make_registrar()
    assert flow_register(registrar, f"{contact(40001)}, {contact(40002, 2)}")[0] == 400
    assert registrar.count() == 0


@pytest.mark.parametrize(("path", "status"), [([NEAR, EDGE], 200), ([EDGE, NEAR], 439), ([], 439)])
def test_the_first_proxy_must_keep_the_flow(path, status):
    registrar = make_registrar()
    headers = {"Path": ", ".join(path)} if path else {}
    request = make_request(contact(40001), Supported="outbound, path", **headers)
    for hop in ("192.0.2.50", "192.0.2.51"):
        request.insert_first("Via", f"SIP/2.0/UDP {hop};branch=z9hG4bK{hop}")
    assert registrar.handle(request, FIRST, "1001", NOW)[0] == status


def test_the_path_is_kept_told_and_there_after_a_restart():
    store = Kept()
    registrar = make_registrar(store)
    answer = register(registrar, f"<{DESK}>", Supported="path", Path=f"{NEAR}, {EDGE}")
    assert header(answer, "Path") == [NEAR, EDGE]
    assert registrar.lookup("1001", NOW)[0].path == (NEAR, EDGE)
    again = make_registrar(Kept(store.rows.values()))
    again.load(NOW)
    assert again.lookup("1001", NOW)[0].path == (NEAR, EDGE)


@pytest.mark.parametrize(
    "path",
    ["nonsense", "<sip:strict.example.com>", "<tel:+1>;lr", ", ".join([NEAR] * 9), f"<sip:{'x' * 1100};lr>"],
)
def test_a_path_that_nobody_could_follow_is_refused(path):
    registrar = make_registrar()
    assert register(registrar, f"<{DESK}>", Path=path)[0] == 400
    assert registrar.count() == 0


def gruus(answer) -> tuple[sip.Uri, sip.Uri]:
    (text,) = told(answer)
    public, temporary = re.search('pub-gruu="([^"]+)";temp-gruu="([^"]+)"', text).groups()
    return sip.Uri.parse(public), sip.Uri.parse(temporary)


def test_a_gruu_means_one_phone():
    registrar = make_registrar()
    public, temporary = gruus(flow_register(registrar, contact(40001)))
    register(registrar, f"<{DESK}>", call_id="c2")
    assert str(public) == f"sip:1001@switch.example;gr={ID}"
    for uri in (public, temporary):
        assert registrar.resolve_gruu(uri, NOW).contact == "sip:1001@203.0.113.9:40001"
        assert registrar.resolve_gruu(uri, NOW + 7200) is None


def test_a_temporary_gruu_says_nothing_and_is_never_the_same():
    registrar = make_registrar()
    (_, first), (_, second) = (gruus(flow_register(registrar, contact(40001), cseq=cseq)) for cseq in (1, 2))
    assert first != second
    assert "1001" not in str(first)
    assert "uuid" not in str(first)
    assert registrar.resolve_gruu(first, NOW) == registrar.resolve_gruu(second, NOW) is not None


@pytest.mark.parametrize("user", ["tgruu.aaaa", "tgruu.", "tgruu.!!", "1001", f"tgruu.{'a' * 120}"])
def test_a_forged_gruu_means_nobody(user):
    registrar = make_registrar()
    flow_register(registrar, contact(40001))
    assert registrar.resolve_gruu(sip.Uri.parse(f"sip:{user}@switch.example;gr"), NOW) is None
    assert registrar.resolve_gruu(sip.Uri.parse(f"sip:{user}@switch.example;gr=urn:uuid:no"), NOW) is None
    assert registrar.resolve_gruu(sip.Uri.parse(f"sip:{user}@switch.example"), NOW) is None


@pytest.mark.parametrize("extensions", ["outbound", ""])
def test_who_does_not_ask_gets_no_gruu(extensions):
    registrar = make_registrar()
    assert "gruu" not in str(flow_register(registrar, contact(40001), Supported=extensions))


def test_whoever_wants_to_know_is_told_of_each_change():
    registrar = make_registrar()
    heard = []
    registrar.on_change.append(lambda user, now: heard.append(user))
    flow_register(registrar, contact(40001))
    flow_register(registrar, contact(40001), cseq=2)
    assert heard == ["1001"] * 2
    registrar.flow_failed(FIRST)
    assert heard == ["1001"] * 3
    register(registrar, f"<{DESK}>;expires=60", call_id="c2")
    registrar.handle_timer(NOW + 100)
    assert heard == ["1001"] * 5
    register(registrar, f"<{DESK}>", call_id="c3")
    registrar.forget(registrar.lookup("1001", NOW)[0], NOW)
    assert registrar.count() == 0
    assert heard == ["1001"] * 7


def test_a_user_may_have_a_limit_of_his_own():
    registrar = make_registrar(max_contacts=2)
    registrar.max_contacts = {"1001": 1}
    assert register(registrar, f"<{DESK}>")[0] == 200
    assert register(registrar, "<sip:1001@10.0.0.9>", call_id="c2")[0] == 403
