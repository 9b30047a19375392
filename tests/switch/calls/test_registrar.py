"""REGISTER: what is bound, refused, and told (RFC 3261 §10)."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import sip
from switchroom.protocols.sip.flow import Flow
from switchroom.switch.calls.registration.bindings import Binding
from switchroom.switch.calls.registration.registrar import Registrar
from switchroom.switch.config import RegistrarConfig
from switchroom.switch.net.clock import Clock
from switchroom.switch.store.interfaces import StoredBinding

NOW = 1000.0
WALL = 1_700_000_000.0  # what the wall clock shows at NOW
SWITCH = ("192.0.2.1", 5060)
FLOW = Flow("UDP", SWITCH, ("203.0.113.9", 40000))
DESK = "sip:1001@192.168.1.7:5062"
CELL = "sip:1001@10.0.0.3"


class Kept:
    """A BindingStore in memory that counts what it is asked."""

    def __init__(self, bindings=()):
        self.rows = {(b.user, b.contact): b for b in bindings}
        self.writes = []

    def load(self, now):
        return [b for b in self.rows.values() if b.expires_at > now]

    def save(self, binding):
        self.writes.append(("save", binding.contact))
        self.rows[binding.user, binding.contact] = binding

    def renew(self, binding):
        self.writes.append(("renew", binding.contact))
        assert (binding.user, binding.contact) in self.rows
        self.rows[binding.user, binding.contact] = binding

    def remove(self, user, contact):
        self.writes.append(("remove", contact))
        del self.rows[user, contact]  # what was never saved cannot be removed

    async def flush(self):
        """Everything is in memory."""


def make_clock(monotonic=NOW, wall=WALL):
    return Clock(monotonic=lambda: monotonic, wall=lambda: wall)


def make_registrar(
    store=None, *, max_bindings=100_000, clock=None, is_local_host=lambda host: True, **config
):
    return Registrar(
        Kept() if store is None else store,
        RegistrarConfig(**config),
        clock or make_clock(),
        is_local_host=is_local_host,
        max_bindings=max_bindings,
    )


def make_request(*contacts, cseq=1, call_id="c1", to="1001", **headers):
    fields = [
        ("From", f"<sip:{to}@switch.example>;tag=1"),
        ("To", f"<sip:{to}@switch.example>"),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} REGISTER"),
        *(("Contact", contact) for contact in contacts),
        *((name.replace("_", "-"), value) for name, value in headers.items()),
    ]
    return sip.Request("REGISTER", "sip:switch.example", fields)


def register(registrar, *contacts, now=NOW, flow=FLOW, account="1001", **options):
    return registrar.handle(make_request(*contacts, **options), flow, account, now)


def contacts_of(registrar, now=NOW, user="1001"):
    return [b.contact for b in registrar.lookup(user, now)]


def told(answer):
    """The Contact headers of the answer."""
    return [value for name, value in answer[2] if name == "Contact"]


# -- the usual way


def test_a_phone_registers():
    registrar = make_registrar()
    answer = register(registrar, f"<{DESK}>;expires=600", User_Agent="Phone 1.0")
    assert answer == (
        200,
        None,
        (("Contact", f"<{DESK}>;expires=600"), ("Date", "Tue, 14 Nov 2023 22:13:20 GMT")),
    )
    (binding,) = registrar.lookup("1001", NOW)
    assert (binding.user, binding.contact, binding.q, binding.expires_at) == ("1001", DESK, 1.0, NOW + 600)
    assert (binding.call_id, binding.cseq, binding.flow, binding.user_agent) == ("c1", 1, FLOW, "Phone 1.0")
    assert registrar.count() == 1
    assert registrar.all(NOW) == [binding]


def test_it_is_gone_when_its_time_is_over():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>;expires=600")
    assert contacts_of(registrar, NOW + 599.9) == [DESK]
    assert contacts_of(registrar, NOW + 600) == []


def test_nobody_else_is_found():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>")
    assert registrar.lookup("1002", NOW) == []


@pytest.mark.parametrize(
    ("contact", "header", "granted"),
    [
        (f"<{DESK}>", None, 1800),
        (f"<{DESK}>", "900", 900),
        (f"<{DESK}>;expires=600", "900", 600),
        (f"<{DESK}>;expires=60", None, 60),
        (f"<{DESK}>;expires=7200", None, 3600),
        (f"<{DESK}>;expires=280297596632815", None, 3600),
        (f"<{DESK}>;expires=soon", None, 3600),
        (f"<{DESK}>", "0000000000000000000000000000000000600", 600),
        (f"<{DESK}>", "later", 3600),
    ],
)
def test_how_long_it_lasts(contact, header, granted):
    registrar = make_registrar(default_expires=1800)
    headers = {} if header is None else {"Expires": header}
    assert told(register(registrar, contact, **headers)) == [f"<{DESK}>;expires={granted}"]
    assert registrar.lookup("1001", NOW)[0].expires_at == NOW + granted


@pytest.mark.parametrize("asked", [{"Expires": "59"}, {"Expires": "1"}])
def test_too_short_is_refused_with_what_is_allowed(asked):
    registrar = make_registrar()
    assert register(registrar, f"<{DESK}>", **asked) == (423, None, (("Min-Expires", "60"),))
    assert registrar.count() == 0


def test_without_contacts_it_only_tells():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>;expires=600", f"<{CELL}>;q=0.5")
    assert told(register(registrar, call_id="other", now=NOW + 100)) == [
        f"<{DESK}>;expires=500",
        f"<{CELL}>;expires=3500;q=0.5",
    ]
    assert register(registrar, account="1002", to="1002")[2] == (("Date", "Tue, 14 Nov 2023 22:13:20 GMT"),)


def test_a_refresh_replaces_the_binding():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>")
    moved = FLOW.replace(remote=("203.0.113.9", 50000))
    register(registrar, f"<{DESK}>", cseq=2, now=NOW + 1000, flow=moved)
    (binding,) = registrar.lookup("1001", NOW + 4000)
    assert (binding.cseq, binding.flow, registrar.count()) == (2, moved, 1)


def test_several_phones_the_preferred_one_first():
    registrar = make_registrar()
    register(registrar, f"<{CELL}>;q=0.3")
    register(registrar, f"<{DESK}>;q=0.75, <sip:soft@10.0.0.4>;q=0.5", call_id="c2")
    assert contacts_of(registrar) == [DESK, "sip:soft@10.0.0.4", CELL]


def test_a_phone_leaves():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>", f"<{CELL}>")
    assert told(register(registrar, f"<{DESK}>;expires=0", cseq=2)) == [f"<{CELL}>;expires=3600"]
    assert told(register(registrar, f"<{CELL}>", cseq=3, Expires="0")) == []
    assert (registrar.count(), contacts_of(registrar)) == (0, [])


def test_leaving_without_being_there_is_fine():
    registrar = make_registrar()
    assert register(registrar, f"<{DESK}>;expires=0")[0] == 200
    assert registrar.count() == 0


def test_the_number_and_the_name_are_one_account():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>", account="alice", to="1001")
    register(registrar, f"<{CELL}>", account="alice", to="alice", call_id="c2")
    assert contacts_of(registrar, user="alice") == [DESK, CELL]


def test_an_address_at_another_domain_is_not_found():
    registrar = make_registrar(is_local_host=lambda host: host == "home.example")
    assert register(registrar, f"<{DESK}>") == (404, None, ())
    request = make_request(f"<{DESK}>")
    request.set("To", "<sip:1001@HOME.example:5060>")
    assert registrar.handle(request, FLOW, "1001", NOW)[0] == 200


def test_the_instance_is_kept_and_told_as_it_was_written():
    registrar = make_registrar()
    instance = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id=1'
    assert told(register(registrar, f"<{DESK}>;{instance};q=0.5;x=y")) == [
        f"<{DESK}>;expires=3600;q=0.5;{instance}"
    ]
    assert registrar.lookup("1001", NOW)[0].instance == instance


@pytest.mark.parametrize("instance", [f'+sip.instance="{"x" * 200}"', '+sip.instance="\udc80"'])
def test_an_instance_that_cannot_be_kept_is_dropped(instance):
    registrar = make_registrar()
    assert register(registrar, f"<{DESK}>;{instance}")[0] == 200
    assert registrar.lookup("1001", NOW)[0].instance == ""


def test_a_user_agent_is_cut_to_what_tables_can_show():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>", User_Agent="Ph\udc80one\x9b" + "x" * 500)
    text = registrar.lookup("1001", NOW)[0].user_agent
    assert (text[:8], len(text)) == ("Ph?one?x", 128)


# -- the same contact, differently written


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:user@10.0.0.3", "sip:%75ser@10.0.0.3"),  # as in RFC 4475 §3.1.1.13 and §3.1.1.4
        ("sip:user@PHONE.example", "sip:user@phone.EXAMPLE"),
        ("sip:user@10.0.0.3;transport=tcp", "sip:user@10.0.0.3;transport=TCP"),
        ("sip:user@10.0.0.3;ob", "sip:user@10.0.0.3"),
    ],
)
def test_one_contact_written_twice_is_one(one, other):
    store = Kept()
    registrar = make_registrar(store)
    register(registrar, f"<{one}>")
    assert told(register(registrar, f"<{other}>", cseq=2)) == [f"<{other}>;expires=3600"]
    assert [contact for _, contact in store.rows] == [other]
    assert told(register(registrar, f"<{one}>;expires=0", cseq=3)) == []
    assert store.rows == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:null-%00-null@10.0.0.3", "sip:%00@10.0.0.3"),  # RFC 4475 §3.1.1.4
        ("sip:User@10.0.0.3", "sip:user@10.0.0.3"),
        ("sip:user@10.0.0.3", "sip:user@10.0.0.3:5060"),
        ("sip:user@10.0.0.3", "sips:user@10.0.0.3"),
        ("sip:user@10.0.0.3;transport=tcp", "sip:user@10.0.0.3"),
    ],
)
def test_two_contacts_are_two(one, other):
    registrar = make_registrar()
    register(registrar, f"<{one}>", f"<{other}>")
    assert contacts_of(registrar) == [one, other]


def test_the_same_contact_twice_in_one_request_counts_once():
    store = Kept()
    registrar = make_registrar(store)
    register(registrar, f"<{DESK}>")
    assert told(register(registrar, f"<{DESK}>;q=0.1", f"<{DESK}>;q=0.2", cseq=2)) == [
        f"<{DESK}>;expires=3600;q=0.2"
    ]
    assert registrar.count() == 1
    assert register(registrar, f"<{DESK}>", f"<{DESK}>;expires=0", cseq=3)[0] == 200
    assert (registrar.count(), store.rows) == (0, {})


# -- all or nothing


def test_an_overtaken_request_changes_nothing():
    store = Kept()
    registrar = make_registrar(store)
    register(registrar, f"<{DESK}>", cseq=5)
    store.writes.clear()
    for cseq in (5, 4):
        answer = register(registrar, f"<{CELL}>", f"<{DESK}>;expires=0", cseq=cseq)
        assert answer == (500, "CSeq Out of Order", ())
    assert register(registrar, f"<{DESK}>;expires=60", cseq=1, call_id="rebooted")[0] == 200
    assert contacts_of(registrar) == [DESK]
    assert store.writes == [("renew", DESK)]


def test_only_what_moves_a_time_may_be_written_later():
    store = Kept()
    registrar = make_registrar(store)
    other = Flow("UDP", SWITCH, ("203.0.113.9", 40001))
    phone, bound = '+sip.instance="<urn:uuid:1>"', "save"
    for cseq, (contact, flow, kind) in enumerate([
        (f"<{DESK}>", FLOW, bound),
        (f"<{DESK}>;expires=60", FLOW, "renew"),
        (f"<{DESK}>", other, bound),
        (f"<{DESK}>", other, "renew"),
        (f"<{DESK}>;q=0.5", other, bound),
        (f"<{DESK}>;q=0.5;{phone}", other, bound),
        (f"<{DESK}>;q=0.5;{phone}", other, "renew"),
        (f"<{CELL}>", other, bound),
    ]):  # fmt: skip
        store.writes.clear()
        assert register(registrar, contact, flow=flow, cseq=cseq + 1)[0] == 200
        assert [kind for kind, _ in store.writes] == [kind], contact


@pytest.mark.parametrize(
    "second",
    [
        "<tel:+15550100>",
        "<mailto:a@b.example>",
        "<https://phone.example/>",
        f"<sip:{'x' * 600}@10.0.0.3>",
        f"<{CELL}>;q=1.5",
        f"<{CELL}>;q=x",
        f"<{CELL}>;expires=10",
        "<sip:>",
        "*",
        f'"{CELL}',
    ],
)
def test_one_bad_contact_spoils_the_request(second):
    store = Kept()
    registrar = make_registrar(store)
    status, _, _ = register(registrar, f"<{DESK}>", second)
    assert status in (400, 423)
    assert (registrar.count(), store.writes) == (0, [])


def test_headers_in_a_contact_are_left_out():
    registrar = make_registrar()
    assert register(registrar, f"<{DESK}?Route=%3Csip:evil.example%3E>")[0] == 200
    assert contacts_of(registrar) == [DESK]


# -- all of them: *


def test_a_star_removes_all():
    store = Kept()
    registrar = make_registrar(store)
    register(registrar, f"<{DESK}>", f"<{CELL}>")
    assert told(register(registrar, "*", cseq=2, Expires="0")) == []
    assert (registrar.count(), store.rows) == (0, {})
    assert register(registrar, "*", cseq=3, Expires="0")[0] == 200


@pytest.mark.parametrize("headers", [{}, {"Expires": "3600"}, {"Expires": "1"}, {"Expires": "x"}])
def test_a_star_needs_expires_0(headers):
    registrar = make_registrar()
    register(registrar, f"<{DESK}>")
    assert register(registrar, "*", cseq=2, **headers)[0] == 400
    assert registrar.count() == 1


def test_a_star_stands_alone():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>")
    assert register(registrar, "*", f"<{CELL}>", cseq=2, Expires="0")[0] == 400
    assert registrar.count() == 1


def test_an_overtaken_star_changes_nothing():
    registrar = make_registrar()
    register(registrar, f"<{CELL}>", call_id="other")
    register(registrar, f"<{DESK}>", cseq=2)
    assert register(registrar, "*", cseq=2, Expires="0")[0] == 500
    assert registrar.count() == 2


# -- limits


def test_no_more_contacts_than_allowed():
    registrar = make_registrar(max_contacts=2)
    register(registrar, f"<{DESK}>", f"<{CELL}>")
    assert register(registrar, "<sip:third@10.0.0.4>", cseq=2) == (403, "Too Many Contacts", ())
    assert register(registrar, f"<{DESK}>", cseq=3)[0] == 200
    assert register(registrar, f"<{DESK}>;expires=0", "<sip:third@10.0.0.4>", cseq=4)[0] == 200
    assert contacts_of(registrar) == [CELL, "sip:third@10.0.0.4"]
    too_many = [f"<sip:{i}@10.0.0.4>;expires=0" for i in range(3)]
    assert register(registrar, *too_many, cseq=5)[0] == 403


def test_those_over_a_lowered_limit_may_stay_and_leave():
    registrar = make_registrar(max_contacts=3)
    for i in range(3):
        register(registrar, f"<sip:{i}@10.0.0.4>", call_id=f"c{i}")
    registrar.update(RegistrarConfig(max_contacts=1), {"1001"})
    assert register(registrar, "<sip:0@10.0.0.4>", call_id="c0", cseq=2)[0] == 200
    assert register(registrar, "<sip:1@10.0.0.4>;expires=0", call_id="c1", cseq=2)[0] == 200
    assert register(registrar, "<sip:new@10.0.0.4>", call_id="c9")[0] == 403


def test_a_full_registrar_refuses_new_ones_only():
    registrar = make_registrar(max_bindings=1)
    register(registrar, f"<{DESK}>")
    answer = register(registrar, f"<{CELL}>", account="1002", to="1002")
    assert answer == (503, "Too Many Registrations", (("Retry-After", "60"),))
    assert register(registrar, f"<{DESK}>", cseq=2)[0] == 200


def test_users_that_a_reload_removes_are_forgotten():
    store = Kept()
    registrar = make_registrar(store)
    register(registrar, f"<{DESK}>")
    register(registrar, f"<{CELL}>", account="1002", to="1002")
    gone = registrar.update(RegistrarConfig(), {"1002"})
    assert [b.user for b in gone] == ["1001"]
    assert (registrar.count(), list(store.rows)) == (1, [("1002", CELL)])


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])), max_size=4), st.booleans())
def test_no_contact_raises(contacts, is_uri):
    registrar = make_registrar()
    contacts = [f"<sip:{text}>" if is_uri else text for text in contacts]
    status, reason, _ = register(registrar, *contacts)
    assert status in (200, 400, 423)
    assert reason is None or reason.isprintable()


# -- over a restart


def stored(contact=DESK, user="1001", seconds=600, **more):
    (local_host, local_port), (remote_host, remote_port) = FLOW.local, FLOW.remote
    fields = {"local_host": local_host, "local_port": local_port, "call_id": "c1", "cseq": 7, **more}
    at = {"remote_host": remote_host, "remote_port": remote_port}
    return StoredBinding(user, contact, WALL + seconds, **at, **fields)


def test_bindings_survive_a_restart():
    store = Kept()
    register(make_registrar(store), f"<{DESK}>;expires=600;q=0.5;reg-id=2", User_Agent="Phone", cseq=7)
    # The monotonic clock starts anew, an hour on the wall is a second later.
    registrar = make_registrar(store, clock=make_clock(5.0, WALL + 1.0))
    registrar.load(5.0)
    (binding,) = registrar.lookup("1001", 5.0)
    assert binding.expires_at == pytest.approx(604.0)
    assert (binding.contact, binding.q, binding.cseq, binding.flow) == (DESK, 0.5, 7, FLOW)
    assert (binding.user_agent, binding.instance, registrar.count()) == ("Phone", "reg-id=2", 1)
    assert registrar.next_timer() is not None
    assert register(registrar, f"<{DESK}>", cseq=7, now=5.0)[0] == 500  # the order counts still


def test_another_worker_has_the_binding_that_it_is_told_of():
    registrar, other = make_registrar(), make_registrar()
    registrar.share(
        lambda saved, gone: other.learn(
            [Binding.heard(pickle.loads(pickle.dumps(one.told()))) for one in saved],
            [(b.user, b.contact) for b in gone],
            NOW,
        )
    )
    path = {"Path": "<sip:edge.example;lr>", "Supported": "path"}
    register(registrar, f"<{DESK}>;expires=600;q=0.5;reg-id=2", User_Agent="Phone", cseq=7, **path)
    (ours,), (theirs,) = registrar.lookup("1001", NOW), other.lookup("1001", NOW)
    assert theirs is not ours
    assert theirs.told() == ours.told()
    assert theirs.flow == FLOW
    assert isinstance(theirs.flow, Flow)
    register(registrar, f"<{DESK}>;expires=0", cseq=8)
    assert other.count() == 0


def test_what_expired_meanwhile_is_not_loaded():
    registrar = make_registrar(Kept([stored(seconds=-1)]))
    registrar.load(NOW)
    assert registrar.count() == 0


def test_a_wall_clock_put_back_does_not_make_bindings_last_for_ever():
    registrar = make_registrar(Kept([stored(seconds=10**7)]))
    registrar.load(NOW)
    assert registrar.lookup("1001", NOW)[0].expires_at == NOW + 3600


@pytest.mark.parametrize(
    ("contact", "remote"),
    [
        (DESK, ("192.168.1.7", 5062)),
        ("sip:1001@[2001:db8::7]", ("2001:db8::7", 5060)),
        ("sip:1001@phone.example", FLOW.remote),
        ("not a URI", FLOW.remote),
    ],
)
def test_a_closed_connection_is_opened_to_where_the_contact_says(contact, remote):
    registrar = make_registrar(Kept([stored(contact, transport="TCP")]))
    registrar.load(NOW)
    assert registrar.lookup("1001", NOW)[0].flow == Flow("TCP", SWITCH, remote, 0)


def test_a_closed_connection_takes_its_own_bindings_only():
    store = Kept()
    registrar = make_registrar(store)
    first, second = (Flow("TCP", SWITCH, ("203.0.113.9", 40000), number) for number in (1, 2))
    register(registrar, f"<{DESK}>", flow=first)
    register(registrar, f"<{CELL}>", flow=second, call_id="c2")
    register(registrar, f"<{DESK}>", flow=first, account="1002", to="1002")
    register(registrar, "<sip:u@10.0.0.9>", flow=FLOW, call_id="c3")
    gone = registrar.flow_failed(first)
    assert sorted((b.user, b.contact) for b in gone) == [("1001", DESK), ("1002", DESK)]
    assert contacts_of(registrar) == [CELL, "sip:u@10.0.0.9"]
    assert sorted(store.rows) == [("1001", CELL), ("1001", "sip:u@10.0.0.9")]
    assert registrar.flow_failed(first) == []


def test_a_phone_that_came_back_over_another_connection_stays():
    registrar = make_registrar()
    first, second = (Flow("TCP", SWITCH, ("203.0.113.9", 40000), number) for number in (1, 2))
    register(registrar, f"<{DESK}>", flow=first)
    register(registrar, f"<{DESK}>", flow=second, cseq=2)
    assert registrar.flow_failed(first) == []
    assert contacts_of(registrar) == [DESK]
    assert [b.contact for b in registrar.flow_failed(second)] == [DESK]


def test_two_users_over_one_connection_leave_one_by_one():
    registrar = make_registrar()
    flow = Flow("TCP", SWITCH, ("203.0.113.9", 40000), 1)
    register(registrar, f"<{DESK}>", flow=flow)
    register(registrar, f"<{CELL}>", flow=flow, account="1002", to="1002")
    register(registrar, f"<{DESK}>;expires=0", flow=flow, cseq=2)
    assert [b.contact for b in registrar.flow_failed(flow)] == [CELL]
    assert registrar._bindings._connections == {}


def test_two_contacts_over_one_connection_go_together():
    registrar = make_registrar()
    flow = Flow("TCP", SWITCH, ("203.0.113.9", 40000), 1)
    register(registrar, f"<{DESK}>", f"<{CELL}>", flow=flow)
    register(registrar, f"<{CELL}>;expires=0", flow=flow, cseq=2)
    assert [b.contact for b in registrar.flow_failed(flow)] == [DESK]
    assert registrar.count() == 0


def test_a_failed_datagram_forgets_nobody():
    registrar = make_registrar()
    register(registrar, f"<{DESK}>")
    assert registrar.flow_failed(FLOW) == []
    assert contacts_of(registrar) == [DESK]


def test_the_connections_that_the_switch_closes_itself_are_kept_for_the_restart():
    store = Kept()
    registrar = make_registrar(store)
    flow = Flow("TCP", SWITCH, ("203.0.113.9", 40000), 1)
    register(registrar, f"<{DESK}>", flow=flow)
    registrar.stop()
    assert registrar.flow_failed(flow) == []
    assert list(store.rows) == [("1001", DESK)]


def test_reading_never_touches_the_store():
    registrar = make_registrar(Kept())
    register(registrar, f"<{DESK}>")
    registrar._bindings._store = None
    assert contacts_of(registrar) == [DESK]
    assert told(register(registrar)) == [f"<{DESK}>;expires=3600"]
