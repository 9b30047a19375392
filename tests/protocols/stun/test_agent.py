"""Connectivity checks, the clock walked; RFC 8445, consent of RFC 7675, THREATS C10."""

from __future__ import annotations

from itertools import pairwise

import pytest

from switchroom.protocols.stun import (
    Agent,
    Candidate,
    Credentials,
    Lost,
    Message,
    MessageClass,
    Selected,
    make_credentials,
    open_message,
    seal,
)
from switchroom.protocols.stun.message import (
    BINDING,
    ERROR_CODE,
    ICE_CONTROLLED,
    ICE_CONTROLLING,
    PRIORITY,
    USE_CANDIDATE,
    USERNAME,
)

from .network import STRANGER, End, Network, end


def pair_of_ends(*, a_lite: bool = False, b_lite: bool = False) -> tuple[End, End, Network]:
    a = end("192.0.2.1", is_controlling=True, is_lite=a_lite, seed=1)
    b = end("192.0.2.2", is_controlling=False, is_lite=b_lite, seed=2)
    return a, b, Network(a, b)


def check(
    agent: Agent,
    remote: Credentials,
    *more: tuple[int, bytes],
    password: str | None = None,
    username: str | None = None,
    message_class: MessageClass = MessageClass.REQUEST,
    method: int = BINDING,
) -> bytes:
    """A connectivity check as ``remote`` sends it to ``agent``."""
    name = f"{agent.local.ufrag}:{remote.ufrag}" if username is None else username
    attributes = ((USERNAME, name.encode()), (PRIORITY, b"\x6e\0\xff\xff"), *more)
    message = Message(message_class, b"their check.", method, attributes)
    return seal(message, (password or agent.local.password).encode())


def answers(agent: Agent) -> list[Message]:
    sent = [Message.parse(data) for data, _ in agent.datagrams_to_send()]
    return [one for one in sent if one.message_class is not MessageClass.REQUEST]


def code_of(message: Message) -> int:
    value = message.get(ERROR_CODE) or bytes(4)
    return value[2] * 100 + value[3]


# -- finding each other


def test_both_select_the_way_that_was_nominated() -> None:
    a, b, network = pair_of_ends()
    network.introduce(a, b)
    network.walk(1.0)
    assert [event for _, event in a.events] == [Selected(b.address)]
    assert [event for _, event in b.events] == [Selected(a.address)]
    assert a.agent.selected == b.address
    nominating = [
        target for _, data, target in network.sent_by(a) if Message.parse(data).get(USE_CANDIDATE) is not None
    ]
    assert nominating == [b.address]
    assert not any(Message.parse(data).get(USE_CANDIDATE) for _, data, _ in network.sent_by(b))


def test_an_end_without_candidates_is_found_by_its_checks() -> None:
    """What a browser's mDNS names amount to."""
    a, b, network = pair_of_ends()
    b.agent.take_remote(a.agent.local, [a.candidate], network.now)
    a.agent.take_remote(b.agent.local, [], network.now)
    assert a.agent.next_timer() is None
    network.walk(1.0)
    assert a.agent.selected == b.address
    assert b.agent.selected == a.address


def test_checks_that_come_before_the_description_are_remembered() -> None:
    a, b, network = pair_of_ends()
    b.agent.take_remote(a.agent.local, [a.candidate], network.now)
    network.walk(0.2)
    assert a.agent.selected is None
    a.agent.take_remote(b.agent.local, [], network.now)
    network.walk(1.0)
    assert a.agent.selected == b.address


def test_a_lost_check_is_sent_again_ever_more_slowly_and_then_no_more() -> None:
    a, b, network = pair_of_ends()
    network.blocked = {b.address}
    a.agent.take_remote(b.agent.local, [b.candidate], network.now)
    network.walk(60.0)
    times = [at for at, _, _ in network.sent_by(a)]
    gaps = [round(later - earlier, 3) for earlier, later in pairwise(times)]
    assert gaps == [0.3, 0.6, 1.2, 1.6, 1.6, 1.6, 1.6, 1.6]
    assert a.agent.next_timer() is None
    network.blocked.clear()
    b.agent.take_remote(a.agent.local, [a.candidate], network.now)  # it lives after all
    network.walk(1.0)
    assert a.agent.selected == b.address


def test_checks_are_paced_and_the_best_comes_first() -> None:
    a, b, network = pair_of_ends()
    candidates = [Candidate("198.51.100.9", 1000 + i, priority=i) for i in range(5)]
    other_component = Candidate("198.51.100.9", 2000, priority=99, component=2)
    a.agent.take_remote(b.agent.local, [*candidates, other_component], network.now)
    network.walk(0.24)
    sent = network.sent_by(a)
    assert [target[1] for _, _, target in sent] == [1004, 1003, 1002, 1001, 1000]
    assert [round(at - 100.0, 3) for at, _, _ in sent] == [0.0, 0.05, 0.1, 0.15, 0.2]


def test_the_better_of_two_ways_is_nominated() -> None:
    a, b, network = pair_of_ends()
    other = ("198.51.100.2", 4000)
    network.ends[other] = b  # two addresses of one end
    candidates = [Candidate(*other, priority=5), Candidate(*b.address, priority=900)]
    a.agent.take_remote(b.agent.local, candidates, network.now)
    b.agent.take_remote(a.agent.local, [], network.now)
    # it answers from wherever it was asked
    while a.agent.selected is None and network.now < 102.0:
        for data, target in a.agent.datagrams_to_send():
            b.agent.receive_datagram(data, a.address, network.now)
            for answer, _ in b.agent.datagrams_to_send():
                a.agent.receive_datagram(answer, target, network.now)
        network.now += 0.01
        a.agent.handle_timer(network.now)
    assert a.agent.selected == b.address


def test_a_nominated_better_way_replaces_a_worse_one_and_not_the_other_way_round() -> None:
    _, b, network = pair_of_ends()
    remote = make_credentials()
    b.agent.take_remote(remote, [], network.now)
    ways = [(("198.51.100.1", 1), 5), (("198.51.100.2", 2), 9), (("198.51.100.3", 3), 7)]
    chosen = []
    for address, priority in ways:
        more = ((ICE_CONTROLLING, bytes(8)), (USE_CANDIDATE, b""))
        name = f"{b.agent.local.ufrag}:{remote.ufrag}".encode()
        attributes = ((USERNAME, name), (PRIORITY, priority.to_bytes(4)), *more)
        request = Message(MessageClass.REQUEST, b"their check.", BINDING, attributes)
        b.agent.receive_datagram(seal(request, b.agent.local.password.encode()), address, network.now)
        for data, target in b.agent.datagrams_to_send():
            message = Message.parse(data)
            if message.message_class is MessageClass.REQUEST:
                answer = seal(message.success(b.address), remote.password.encode())
                b.agent.receive_datagram(answer, target, network.now)
        chosen.append(b.agent.selected)
    assert chosen == [ways[0][0], ways[1][0], ways[1][0]]


# -- roles


@pytest.mark.parametrize("is_controlling", [True, False])
def test_a_conflict_of_roles_is_settled(is_controlling: bool) -> None:
    a = end("192.0.2.1", is_controlling=is_controlling, seed=1)
    b = end("192.0.2.2", is_controlling=is_controlling, seed=2)
    network = Network(a, b)
    network.introduce(a, b)
    network.walk(2.0)
    assert a.agent.is_controlling is not b.agent.is_controlling
    assert (a.agent.selected, b.agent.selected) == (b.address, a.address)


@pytest.mark.parametrize("is_controlling", [True, False])
@pytest.mark.parametrize("is_theirs_larger", [True, False])
def test_who_gives_way(is_controlling: bool, is_theirs_larger: bool) -> None:
    """RFC 8445 §7.3.1.1: the larger tie-breaker chooses."""
    one = end("192.0.2.1", is_controlling=is_controlling)
    remote = make_credentials()
    one.agent.take_remote(remote, [], 0.0)
    kind = ICE_CONTROLLING if is_controlling else ICE_CONTROLLED
    theirs = bytes([255] * 8) if is_theirs_larger else bytes(8)
    one.agent.receive_datagram(check(one.agent, remote, (kind, theirs)), STRANGER, 0.0)
    [answer] = answers(one.agent)
    assert one.agent.is_controlling is not is_theirs_larger
    must_they_change = is_theirs_larger is not is_controlling
    assert code_of(answer) == (487 if must_they_change else 0)


def test_a_malformed_tie_breaker_is_none() -> None:
    one = end("192.0.2.1", is_controlling=True)
    remote = make_credentials()
    one.agent.receive_datagram(check(one.agent, remote, (ICE_CONTROLLING, b"short")), STRANGER, 0.0)
    assert [code_of(answer) for answer in answers(one.agent)] == [0]


def test_after_487_the_check_goes_out_again_in_the_other_role() -> None:
    one = end("192.0.2.1", is_controlling=True)
    remote = make_credentials()
    one.agent.take_remote(remote, [Candidate(*STRANGER, priority=1)], 0.0)
    one.agent.handle_timer(0.0)
    [(data, _)] = one.agent.datagrams_to_send()
    conflict = seal(Message.parse(data).error(487, "Role Conflict"), remote.password.encode())
    one.agent.receive_datagram(conflict, STRANGER, 0.0)
    [(data, _)] = one.agent.datagrams_to_send()
    assert Message.parse(data).get(ICE_CONTROLLED) is not None


def test_who_has_given_way_nominates_nothing() -> None:
    a, b, network = pair_of_ends()
    a.agent.take_remote(b.agent.local, [b.candidate], network.now)
    a.agent.handle_timer(network.now)
    [(data, _)] = a.agent.datagrams_to_send()
    answer = seal(Message.parse(data).success(a.address), b.agent.local.password.encode())
    a.agent.receive_datagram(answer, b.address, network.now)
    larger = check(a.agent, b.agent.local, (ICE_CONTROLLING, bytes([255] * 8)))
    a.agent.receive_datagram(larger, b.address, network.now)
    assert not a.agent.is_controlling
    a.agent.datagrams_to_send()
    a.agent.handle_timer(network.now + 0.2)
    assert a.agent.datagrams_to_send() == []


def test_another_error_ends_the_check() -> None:
    for error in ((ERROR_CODE, b"\0\0\4\0Bad"), (ERROR_CODE, b"")):
        one = end("192.0.2.1", is_controlling=True)
        remote = make_credentials()
        one.agent.take_remote(remote, [Candidate(*STRANGER, priority=1)], 0.0)
        one.agent.handle_timer(0.0)
        [(data, _)] = one.agent.datagrams_to_send()
        answer = Message(MessageClass.ERROR, Message.parse(data).transaction_id, BINDING, (error,))
        one.agent.receive_datagram(seal(answer, remote.password.encode()), STRANGER, 0.0)
        assert one.agent.next_timer() is None
        assert one.agent.datagrams_to_send() == []


# -- lite


def test_a_lite_end_only_answers() -> None:
    a, b, network = pair_of_ends(b_lite=True)
    network.introduce(a, b)
    network.walk(1.0)
    assert (a.agent.selected, b.agent.selected) == (b.address, a.address)
    sent = [Message.parse(data).message_class for _, data, _ in network.sent_by(b)]
    assert set(sent) == {MessageClass.SUCCESS}
    assert b.agent.next_timer() is None  # consent is the other end's to ask


def test_who_meets_a_lite_end_chooses() -> None:
    a, b, network = pair_of_ends(b_lite=True)
    a.agent.is_controlling = False
    network.introduce(a, b)
    assert a.agent.is_controlling
    network.walk(1.0)
    assert b.agent.selected == a.address


def test_a_lite_end_selects_nothing_that_was_not_nominated() -> None:
    one = end("192.0.2.1", is_controlling=False, is_lite=True)
    remote = make_credentials()
    one.agent.take_remote(remote, [], 0.0)
    one.agent.receive_datagram(check(one.agent, remote), STRANGER, 0.0)
    assert len(answers(one.agent)) == 1
    assert one.agent.selected is None
    one.agent.receive_datagram(check(one.agent, remote, (USE_CANDIDATE, b"")), STRANGER, 0.0)
    assert one.agent.selected == STRANGER
    one.agent.receive_datagram(check(one.agent, remote, (USE_CANDIDATE, b"")), STRANGER, 0.0)
    assert [one.agent.next_event(), one.agent.next_event()] == [Selected(STRANGER), None]


# -- who gets no answer


def test_who_proves_no_password_gets_no_answer() -> None:
    one = end("192.0.2.1", is_controlling=False)
    remote = make_credentials()
    one.agent.take_remote(remote, [], 0.0)
    local = one.agent.local
    good = check(one.agent, remote)
    plain = Message(MessageClass.REQUEST, bytes(12), BINDING, ((USERNAME, local.ufrag.encode()),))
    for data in (
        b"",
        b"\0",
        good[:-1],
        bytes(plain),
        check(one.agent, remote, password="wrong"),
        check(one.agent, remote, username=f"{local.ufrag}:other"),
        check(one.agent, remote, username=f"other:{remote.ufrag}"),
        check(one.agent, remote, username=""),
        check(one.agent, remote, message_class=MessageClass.INDICATION),
        check(one.agent, remote, method=3),
        good[:40] + bytes([good[40] ^ 1]) + good[41:],
    ):
        one.agent.receive_datagram(data, STRANGER, 0.0)
        assert one.agent.datagrams_to_send() == [], data
        assert one.agent.next_timer() is None
    one.agent.receive_datagram(good, STRANGER, 0.0)
    assert len(answers(one.agent)) == 1


def test_what_follows_the_proof_is_not_believed() -> None:
    """USE-CANDIDATE behind MESSAGE-INTEGRITY could be anybody's."""
    one = end("192.0.2.1", is_controlling=False, is_lite=True)
    remote = make_credentials()
    one.agent.take_remote(remote, [], 0.0)
    data = check(one.agent, remote)[:-8]  # without FINGERPRINT
    data += USE_CANDIDATE.to_bytes(2) + bytes(2)
    data = data[:2] + (len(data) - 20).to_bytes(2) + data[4:]
    one.agent.receive_datagram(data, STRANGER, 0.0)
    assert len(answers(one.agent)) == 1
    assert one.agent.selected is None


def test_an_answer_is_believed_only_from_where_the_check_went() -> None:
    one = end("192.0.2.1", is_controlling=True)
    remote = make_credentials()
    asked = ("192.0.2.9", 9)
    one.agent.take_remote(remote, [Candidate(*asked, priority=1)], 0.0)
    one.agent.handle_timer(0.0)
    [(data, _)] = one.agent.datagrams_to_send()
    answer = Message.parse(data).success(("192.0.2.1", 4000))
    one.agent.receive_datagram(seal(answer, b"wrong"), asked, 0.0)
    one.agent.receive_datagram(seal(answer, remote.password.encode()), STRANGER, 0.0)
    foreign = Message(MessageClass.SUCCESS, b"not ours....", BINDING, answer.attributes)
    one.agent.receive_datagram(seal(foreign, remote.password.encode()), asked, 0.0)
    one.agent.handle_timer(0.2)
    one.agent.handle_timer(1.0)
    assert one.agent.selected is None
    assert not any(Message.parse(data).get(USE_CANDIDATE) for data, _ in one.agent.datagrams_to_send())


def test_an_answer_before_anybody_is_known_is_nothing() -> None:
    one = end("192.0.2.1", is_controlling=True)
    answer = Message(MessageClass.SUCCESS, bytes(12))
    one.agent.receive_datagram(seal(answer, b"any"), STRANGER, 0.0)
    assert one.agent.next_timer() is None


def test_addresses_are_limited() -> None:
    """Who has the password of a call cannot make it ask the whole world: THREATS C10."""
    one = end("192.0.2.1", is_controlling=True)
    remote = make_credentials()
    one.agent.take_remote(remote, [], 0.0)
    for port in range(1, 200):
        one.agent.receive_datagram(check(one.agent, remote), ("198.51.100.1", port), 0.0)
    asked = {
        target
        for data, target in one.agent.datagrams_to_send()
        if Message.parse(data).message_class is MessageClass.REQUEST
    }
    assert len(asked) == 32
    for second in range(60):
        one.agent.handle_timer(float(second))
    one.agent.datagrams_to_send()
    one.agent.receive_datagram(check(one.agent, remote), STRANGER, 60.0)  # what came to nothing makes room
    assert STRANGER in {target for _, target in one.agent.datagrams_to_send()}


# -- consent


def test_consent_is_asked_every_few_seconds_and_kept() -> None:
    a, b, network = pair_of_ends()
    network.introduce(a, b)
    network.walk(1.0)
    before = len(network.sent_by(a))
    network.walk(120.0)
    asked = [at for at, data, _ in network.sent_by(a)[before:] if Message.parse(data).message_class == 0]
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert 20 <= len(asked) <= 30
    assert all(4.0 <= gap <= 6.0 for gap in gaps)
    assert len({round(gap, 3) for gap in gaps}) > 10
    assert len(a.events) == 1


def test_without_consent_nothing_is_sent_any_more() -> None:
    a, b, network = pair_of_ends()
    network.introduce(a, b)
    network.walk(1.0)
    del network.ends[b.address]
    network.walk(60.0)
    found, lost = a.events
    assert lost[1] == Lost()
    assert 30.0 <= lost[0] - found[0] <= 37.0
    assert a.agent.selected is None
    count = len(network.sent_by(a))
    network.walk(60.0)
    assert len(network.sent_by(a)) == count
    assert a.agent.next_timer() is None


def test_a_consent_of_somebody_else_does_not_count() -> None:
    a, b, network = pair_of_ends()
    network.introduce(a, b)
    network.walk(1.0)
    del network.ends[b.address]
    while not any(isinstance(event, Lost) for _, event in a.events) and network.now < 160.0:
        before = len(network.seen)
        network.walk(1.0)
        for _, data, source, _ in network.seen[before:]:
            assert source == a.address
            answer = seal(Message.parse(data).success(a.address), b.agent.local.password.encode())
            a.agent.receive_datagram(answer, STRANGER, network.now)
            refusal = seal(Message.parse(data).error(403, "Forbidden"), b.agent.local.password.encode())
            a.agent.receive_datagram(refusal, b.address, network.now)
    assert a.events[-1][1] == Lost()
    assert network.now < 140.0


def test_the_other_end_comes_back_at_another_address() -> None:
    a, b, network = pair_of_ends()
    network.introduce(a, b)
    network.walk(1.0)
    del network.ends[b.address]
    network.walk(60.0)
    assert a.agent.selected is None
    again = End(("198.51.100.7", 7000), b.agent)
    network.ends[again.address] = again
    a.agent.take_remote(b.agent.local, [again.candidate], network.now)
    network.walk(1.0)
    assert a.agent.selected == again.address


# -- what is written


def test_credentials_are_long_chance_and_are_not_shown() -> None:
    made = {make_credentials() for _ in range(50)}
    assert len({one.ufrag for one in made}) == len({one.password for one in made}) == 50
    assert all(len(one.ufrag) == 8 and len(one.password) == 24 for one in made)
    assert all(one.password not in repr(one) for one in made)


def test_every_message_is_proven_and_marked() -> None:
    a, b, network = pair_of_ends()
    network.introduce(a, b)
    network.walk(30.0)
    for _, data, source, _ in network.seen:
        message = Message.parse(data)
        is_request = message.message_class is MessageClass.REQUEST
        one, other = (a, b) if source == a.address else (b, a)
        password = other.agent.local.password if is_request else one.agent.local.password
        assert open_message(data, password.encode()).transaction_id == message.transaction_id
        assert data[-8:-4] == b"\x80\x28\0\4"
        if is_request:
            assert message.transaction_id[:4] == one.agent.mark
