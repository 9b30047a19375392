"""Two sessions on a wire: states, windows, numbers, versions, ends and time-outs."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.smpp import (
    RESPONSE_TO,
    AlertNotification,
    BindReceived,
    BindReceiver,
    BindRefused,
    BindTransceiver,
    BindTransceiverResp,
    Bound,
    Closed,
    CommandId,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    OutbindReceived,
    Pdu,
    QuerySm,
    RequestRefused,
    RequestsFailed,
    RequestsReceived,
    ResponsesReceived,
    Role,
    Session,
    SessionConfig,
    State,
    Status,
    SubmitSm,
    SubmitSmResp,
    Tag,
    Unbind,
    UnbindReceived,
    UnbindResp,
    pack,
    parse_pdus,
)
from switchroom.protocols.smpp.layout import COMMANDS
from switchroom.protocols.smpp.window import MAX_SEQUENCE_NUMBER, Window

from .samples import CLASSES, filled
from .wire import BINDS, Pair, events, kinds

SUBMIT = SubmitSm(source_addr="491711", destination_addr="4917123", short_message=b"hello")
DELIVER = DeliverSm(source_addr="4917123", destination_addr="491711", short_message=b"hello")

# SMPP 3.4 table 2-1, written down a second time from the standard: what each end takes when it is bound how
TAKES = {
    (Role.MC, State.OPEN): "bind_transmitter bind_receiver bind_transceiver enquire_link",
    (Role.MC, State.BOUND_TX): "submit_sm submit_multi data_sm query_sm cancel_sm replace_sm broadcast_sm "
    "query_broadcast_sm cancel_broadcast_sm unbind enquire_link",
    (Role.MC, State.BOUND_RX): "unbind enquire_link",
    (Role.MC, State.BOUND_TRX): "submit_sm submit_multi data_sm query_sm cancel_sm replace_sm broadcast_sm "
    "query_broadcast_sm cancel_broadcast_sm unbind enquire_link",
    (Role.ESME, State.OPEN): "outbind enquire_link",
    (Role.ESME, State.BOUND_TX): "unbind enquire_link",
    (Role.ESME, State.BOUND_RX): "deliver_sm data_sm alert_notification unbind enquire_link",
    (Role.ESME, State.BOUND_TRX): "deliver_sm data_sm alert_notification unbind enquire_link",
}


def said(session: Session) -> list[Pdu]:
    pdus, _ = parse_pdus(session.data_to_send())
    return pdus  # type: ignore[return-value]  # what we write is never malformed


def pair_in(state: State, **keys: float) -> Pair:
    pair = Pair(**keys)
    if state in BINDS:
        pair.bind(state)
    return pair


@pytest.mark.parametrize(("role", "state"), TAKES)
@pytest.mark.parametrize("kind", [pdu for pdu in CLASSES if not COMMANDS[pdu] & 0x80000000])
def test_each_request_is_taken_only_where_the_standard_lets_it(
    role: Role, state: State, kind: type[Pdu]
) -> None:
    pair = pair_in(state)
    session = pair.mc if role is Role.MC else pair.esme
    name = COMMANDS[kind].name.lower()
    session.receive_data(pack(filled(kind, 77)), pair.now)
    refused = [e for e in events(session) if isinstance(e, RequestRefused) and "in state" in e.reason]
    if name in TAKES[role, state].split():
        assert not refused
        return
    is_again = session.is_bound and role is Role.MC and kind in BINDS.values()
    status = Status.RALYBND if is_again else Status.RINVBNDSTS
    assert [(e.name, e.status) for e in refused] == [(name, status)]
    (answer,) = said(session)
    assert (answer.status, answer.sequence_number) == (status, 77)
    assert type(answer) is RESPONSE_TO.get(kind, GenericNack)
    assert session.state is state


@pytest.mark.parametrize("state", list(BINDS))
def test_bind_tells_who_answers_and_what_is_spoken(state: State) -> None:
    pair = Pair()
    pair.esme.bind(BINDS[state]("customer", "secret", "vms"), pair.now)
    pair.pass_on()
    (event,) = events(pair.mc)
    assert isinstance(event, BindReceived)
    assert (event.request.system_id, event.request.password) == ("customer", "secret")
    assert pair.esme.state is pair.mc.state is State.OPEN
    pair.mc.accept(pair.now)
    pair.pass_on()
    (event,) = events(pair.esme)
    assert isinstance(event, Bound)
    assert event.response.system_id == "centre"
    assert pair.esme.state is pair.mc.state is state


@pytest.mark.parametrize(
    ("asked", "spoken"), [(0x00, 0x00), (0x33, 0x33), (0x34, 0x34), (0x50, 0x50), (0x51, 0x50)]
)
def test_the_older_version_of_both_is_spoken(asked: int, spoken: int) -> None:
    pair = Pair()
    pair.bind(version=asked)
    assert pair.mc.version == spoken
    assert pair.esme.version == spoken
    pair.mc.send(DELIVER._replace(tlvs=((0x1400, b"x"),)), None, pair.now)
    pair.esme.receive_data(pair.mc.data_to_send(), pair.now)
    (event,) = events(pair.esme)
    assert isinstance(event, RequestsReceived)
    # who binds with 3.3 or older is sent no optional parameters (3.4 §3.3)
    assert bool(event.requests[0].tlvs) == (spoken > 0x33)  # type: ignore[union-attr]


def test_a_centre_that_speaks_less_is_believed() -> None:
    session = Session(Role.ESME, SessionConfig(), 0.0)
    session.bind(BindTransceiver("a", "b", interface_version=0x50), 0.0)
    (bind,) = said(session)
    session.receive_data(
        pack(BindTransceiverResp("c", ((Tag.SC_INTERFACE_VERSION, b"\x34"),)), bind.sequence_number), 0.0
    )
    assert session.version == 0x34


def test_a_refused_bind_ends_the_session_on_both_ends() -> None:
    pair = Pair()
    pair.esme.bind(BindTransceiver("customer", "wrong"), pair.now)
    pair.pass_on()
    pair.mc.refuse(Status.RBINDFAIL)
    pair.pass_on()
    assert kinds(events(pair.mc)) == ["BindReceived", "Closed"]
    assert events(pair.esme) == [BindRefused(Status.RBINDFAIL), Closed("bind refused")]


def test_a_second_bind_while_the_first_is_looked_at_is_refused() -> None:
    pair = Pair()
    data = pack(BindTransceiver("a", "b"), 1)
    pair.mc.receive_data(data + pack(BindTransceiver("a", "c"), 2), pair.now)
    assert kinds(events(pair.mc)) == ["BindReceived", "RequestRefused"]
    (answer,) = said(pair.mc)
    assert (answer.status, answer.sequence_number) == (Status.RALYBND, 2)


def test_outbind_asks_to_be_bound_to() -> None:
    pair = Pair()
    pair.mc.outbind(Outbind("centre", "word"), pair.now)
    pair.pass_on()
    (event,) = events(pair.esme)
    assert isinstance(event, OutbindReceived)
    assert event.request.password == "word"
    assert pair.esme.state is pair.mc.state is State.OUTBOUND
    pair.bind(State.BOUND_RX)
    assert pair.mc.state is State.BOUND_RX


def test_answers_find_their_requests_in_any_order() -> None:
    pair = Pair()
    pair.bind()
    for context in "abc":
        pair.esme.send(SUBMIT, context, pair.now)
    pair.pass_on()
    (event,) = events(pair.mc)
    assert isinstance(event, RequestsReceived)
    for request in reversed(event.requests):
        pair.mc.answer(SubmitSmResp(f"id{request.sequence_number}", (), 0, request.sequence_number), pair.now)
    pair.pass_on()
    (event,) = events(pair.esme)
    assert isinstance(event, ResponsesReceived)
    assert [context for context, _, _ in event.answers] == ["c", "b", "a"]
    assert pair.mc.unanswered == pair.esme.outstanding == 0


def test_both_directions_have_their_own_numbers() -> None:
    pair = Pair()
    pair.bind()
    pair.esme.send(SUBMIT, "up", pair.now)
    pair.mc.send(DELIVER, "down", pair.now)
    pair.mc.send(DELIVER, "down2", pair.now)
    pair.pass_on()
    for session in (pair.esme, pair.mc):
        (event,) = events(session)
        assert isinstance(event, RequestsReceived)
        for request in event.requests:
            answer = RESPONSE_TO[type(request)]
            session.answer(answer(sequence_number=request.sequence_number), pair.now)  # type: ignore[arg-type, call-arg]
    pair.pass_on()
    assert [c for e in events(pair.esme) for c, _, _ in e.answers] == ["up"]  # type: ignore[union-attr]
    assert [c for e in events(pair.mc) for c, _, _ in e.answers] == ["down", "down2"]  # type: ignore[union-attr]


def test_no_more_is_sent_than_the_window_holds() -> None:
    pair = Pair(window=3)
    pair.bind()
    for i in range(3):
        assert pair.esme.room == 3 - i
        pair.esme.send(SUBMIT, i, pair.now)
    with pytest.raises(LocalProtocolError, match="window is full"):
        pair.esme.send(SUBMIT, 3, pair.now)
    pair.pass_on()
    (event,) = events(pair.mc)
    pair.mc.answer(SubmitSmResp("1", (), 0, event.requests[1].sequence_number), pair.now)  # type: ignore[union-attr]
    pair.pass_on()
    assert pair.esme.room == 1


def test_what_is_beyond_the_window_of_the_receiver_is_throttled() -> None:
    pair = Pair(max_unanswered=2)
    pair.bind()
    for i in range(4):
        pair.esme.send(SUBMIT, i, pair.now)
    pair.pass_on()
    found = events(pair.mc)
    assert [len(e.requests) for e in found if isinstance(e, RequestsReceived)] == [2]
    (answers,) = events(pair.esme)
    assert isinstance(answers, ResponsesReceived)
    assert [(c, r.status) for c, r, _ in answers.answers] == [(2, Status.RTHROTTLED), (3, Status.RTHROTTLED)]


def test_numbers_begin_again_after_the_last_and_leave_out_those_in_use() -> None:
    window = Window(MAX_SEQUENCE_NUMBER - 1)
    assert window.open("a", SubmitSmResp, 0.0) == MAX_SEQUENCE_NUMBER
    assert window.open("b", SubmitSmResp, 0.0) == 1
    again = Window(MAX_SEQUENCE_NUMBER - 1)
    again.open("a", SubmitSmResp, 0.0)
    again._last = MAX_SEQUENCE_NUMBER - 1  # a whole round later, and "a" still waits
    assert again.number() == 1
    answer = window.close(SubmitSmResp("x", (), 0, MAX_SEQUENCE_NUMBER))
    assert answer is not None
    assert answer[0] == "a"


def test_answers_that_nothing_waits_for_are_counted_and_do_no_harm() -> None:
    pair = Pair()
    pair.bind()
    pair.esme.send(SUBMIT, "mine", pair.now)
    (sent,) = said(pair.esme)
    number = sent.sequence_number
    wrong = [DeliverSmResp("", (), 0, number), SubmitSmResp("x", (), 0, number + 1), UnbindResp(0, 9)]
    pair.esme.receive_data(b"".join(map(pack, wrong)), pair.now)
    assert events(pair.esme) == []
    assert pair.esme.strays == 2
    pair.esme.receive_data(pack(SubmitSmResp("x", (), 0, number)) * 2, pair.now)
    (event,) = events(pair.esme)
    assert isinstance(event, ResponsesReceived)
    assert len(event.answers) == 1


def test_generic_nack_answers_what_it_names() -> None:
    pair = Pair()
    pair.bind()
    pair.esme.send(QuerySm("1"), "question", pair.now)
    (sent,) = said(pair.esme)
    pair.esme.receive_data(pack(GenericNack(Status.RINVCMDID, sent.sequence_number)), pair.now)
    (event,) = events(pair.esme)
    assert isinstance(event, ResponsesReceived)
    assert event.answers[0][0] == "question"
    assert event.answers[0][1].status == Status.RINVCMDID


def test_a_request_that_is_never_answered_fails_after_its_time() -> None:
    pair = Pair(response_timeout=5.0, enquire_interval=0.0)
    pair.bind()
    pair.esme.send(SUBMIT, "first", pair.now)
    pair.walk_to(pair.now + 3)
    pair.esme.send(SUBMIT, "second", pair.now)
    pair.walk_to(pair.now + 2.5)
    assert events(pair.esme) == [RequestsFailed(["first"], "no answer in time")]
    assert pair.esme.outstanding == 1
    pair.esme.receive_eof(pair.now)
    assert events(pair.esme) == [
        RequestsFailed(["second"], "closed by the remote end"),
        Closed("closed by the remote end"),
    ]


def test_silence_is_broken_by_enquire_link_on_both_ends() -> None:
    pair = Pair(enquire_interval=30.0, response_timeout=10.0)
    pair.bind()
    pair.walk_to(pair.now + 3600)
    assert pair.esme.state is pair.mc.state is State.BOUND_TRX


def test_an_end_that_is_gone_is_noticed() -> None:
    pair = Pair(enquire_interval=30.0, response_timeout=10.0)
    pair.bind()
    pair.mc.handle_timer(pair.now + 30)
    assert [type(pdu) for pdu in said(pair.mc)] == [EnquireLink]
    pair.mc.handle_timer(pair.now + 40)
    assert events(pair.mc) == [Closed("enquire_link was not answered")]


def test_any_octet_shows_that_the_other_end_is_there() -> None:
    pair = Pair(enquire_interval=30.0, response_timeout=10.0)
    pair.bind()
    pair.mc.handle_timer(pair.now + 30)
    said(pair.mc)
    pair.mc.receive_data(pack(EnquireLink(), 5), pair.now + 39)
    assert [type(pdu) for pdu in said(pair.mc)] == [EnquireLinkResp]
    assert pair.mc.next_timer() == pair.now + 69


def test_who_connects_and_does_not_bind_is_sent_away() -> None:
    pair = Pair(bind_timeout=10.0)
    assert pair.mc.next_timer() == pair.now + 10
    pair.mc.receive_data(pack(EnquireLink(), 5), pair.now + 9)  # wins no time
    pair.mc.handle_timer(pair.now + 10)
    assert events(pair.mc) == [Closed("no bind in time")]


def test_a_pdu_has_to_be_whole_in_time_whatever_drips_in() -> None:
    pair = Pair(pdu_timeout=10.0)
    pair.bind()
    data = pack(SUBMIT, 1)
    for i in range(9):
        pair.mc.receive_data(data[i : i + 1], pair.now + i)
    assert pair.mc.next_timer() == pair.now + 10
    pair.mc.handle_timer(pair.now + 10)
    assert events(pair.mc) == [Closed("a PDU was not whole in time")]


def test_a_new_pdu_has_its_own_time() -> None:
    pair = Pair(pdu_timeout=10.0)
    pair.bind()
    data = pack(SUBMIT, 1)
    pair.mc.receive_data(data[:20], pair.now)
    pair.mc.receive_data(data[20:] + data[:20], pair.now + 9)
    pair.mc.handle_timer(pair.now + 10)
    assert pair.mc.state is State.BOUND_TRX
    assert pair.mc.next_timer() == pair.now + 19


def test_unbind_waits_for_the_answers_of_what_came_before() -> None:
    pair = Pair()
    pair.bind()
    pair.esme.send(SUBMIT, "last", pair.now)
    data = pair.esme.data_to_send() + pack(Unbind(), 9)
    pair.mc.receive_data(data, pair.now)
    received, asked = events(pair.mc)
    assert isinstance(received, RequestsReceived)
    assert isinstance(asked, UnbindReceived)
    assert pair.mc.data_to_send() == b""
    assert pair.mc.room == 0
    pair.mc.answer(SubmitSmResp("1", (), 0, received.requests[0].sequence_number), pair.now)
    assert [type(pdu) for pdu in said(pair.mc)] == [SubmitSmResp, UnbindResp]
    assert events(pair.mc) == [Closed("unbound by the remote end")]


def test_unbind_is_answered_in_the_end_even_if_nothing_else_is() -> None:
    pair = Pair(response_timeout=10.0)
    pair.bind()
    pair.esme.send(SUBMIT, "last", pair.now)
    pair.mc.receive_data(pair.esme.data_to_send() + pack(Unbind(), 9), pair.now)
    pair.mc.handle_timer(pair.now + 10)
    assert [type(pdu) for pdu in said(pair.mc)] == [UnbindResp]


def test_we_unbind_when_our_requests_are_answered() -> None:
    pair = Pair(response_timeout=10.0)
    pair.bind()
    pair.esme.send(SUBMIT, "last", pair.now)
    pair.esme.unbind(pair.now)
    pair.esme.unbind(pair.now)
    assert not pair.esme.can_send(SubmitSm)
    with pytest.raises(LocalProtocolError):
        pair.esme.send(SUBMIT, "too late", pair.now)
    pair.pass_on()
    (event,) = events(pair.mc)
    assert isinstance(event, RequestsReceived)
    pair.mc.answer(SubmitSmResp("1", (), 0, event.requests[0].sequence_number), pair.now)
    pair.pass_on()
    assert kinds(events(pair.mc)) == ["UnbindReceived", "Closed"]
    assert events(pair.esme)[-1] == Closed("unbound")


def test_our_unbind_does_not_wait_for_ever() -> None:
    pair = Pair(response_timeout=10.0, enquire_interval=0.0)
    pair.bind()
    pair.esme.send(SUBMIT, "lost", pair.now)
    pair.esme.unbind(pair.now)
    said(pair.esme)
    pair.esme.handle_timer(pair.now + 10)
    assert events(pair.esme) == [RequestsFailed(["lost"], "no answer in time")]
    assert [type(pdu) for pdu in said(pair.esme)] == [Unbind]
    pair.esme.handle_timer(pair.now + 20)
    assert events(pair.esme) == [Closed("unbind was not answered")]


def test_a_session_without_messages_ends_if_that_is_wanted() -> None:
    pair = Pair(inactivity_timeout=60.0)
    pair.bind()
    pair.walk_to(pair.now + 100)
    assert pair.mc.state is pair.esme.state is State.CLOSED


def test_congestion_is_heard() -> None:
    pair = Pair()
    pair.bind(version=0x50)
    pair.esme.send(SUBMIT, None, pair.now)
    (sent,) = said(pair.esme)
    answer = SubmitSmResp("1", ((Tag.CONGESTION_STATE, b"\x5a"),), 0, sent.sequence_number)
    pair.esme.receive_data(pack(answer), pair.now)
    assert pair.esme.congestion == 90


# -- what is no PDU


@pytest.mark.parametrize("size", [0, 15, 70_001, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("is_bound", [False, True])
def test_a_length_that_cannot_be_is_nacked_and_ends_it(size: int, is_bound: bool) -> None:
    pair = Pair()
    if is_bound:
        pair.bind()
    pair.mc.receive_data(size.to_bytes(4) + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8)), pair.now)
    (answer,) = said(pair.mc)
    assert answer == GenericNack(Status.RINVCMDLEN, 8)
    assert kinds(events(pair.mc)) == ["Closed"]
    pair.mc.receive_data(pack(SUBMIT, 1), pair.now)
    assert pair.mc.next_event() is None


def test_a_stranger_may_not_send_much() -> None:
    pair = Pair()
    pair.mc.receive_data((1025).to_bytes(4) + bytes(12), pair.now)
    assert kinds(events(pair.mc)) == ["Closed"]


def test_an_unknown_command_is_nacked_and_the_next_one_heard() -> None:
    pair = Pair()
    pair.bind()
    unknown = (16).to_bytes(4) + (0x333).to_bytes(4) + bytes(4) + (5).to_bytes(4)
    pair.mc.receive_data(unknown + pack(SUBMIT, 6), pair.now)
    refused, received = events(pair.mc)
    assert refused == RequestRefused("0x00000333", Status.RINVCMDID, "command_id 0x00000333 is unknown")
    assert isinstance(received, RequestsReceived)
    assert said(pair.mc) == [GenericNack(Status.RINVCMDID, 5)]


def test_a_damaged_request_is_refused_by_its_own_response() -> None:
    pair = Pair()
    pair.bind()
    data = bytearray(pack(SUBMIT, 6))
    data[-6] = 200  # sm_length
    pair.mc.receive_data(bytes(data), pair.now)
    assert said(pair.mc) == [SubmitSmResp(status=Status.RINVMSGLEN, sequence_number=6)]


def test_a_damaged_answer_leaves_its_request_to_time() -> None:
    pair = Pair()
    pair.bind()
    pair.esme.send(SUBMIT, "mine", pair.now)
    (sent,) = said(pair.esme)
    data = pack(SubmitSmResp("1", ((0x1400, b"x"),), 0, sent.sequence_number))[:-1]
    data = len(data).to_bytes(4) + data[4:]
    pair.esme.receive_data(data, pair.now)
    assert events(pair.esme) == []
    assert pair.esme.outstanding == 1


@pytest.mark.parametrize(("is_bound", "count"), [(False, 5), (True, 20)])
def test_too_many_errors_end_it(is_bound: bool, count: int) -> None:
    pair = Pair(max_errors=20)
    if is_bound:
        pair.bind()
    pair.mc.receive_data(pack(DELIVER, 1) * (count - 1), pair.now)
    assert pair.mc.state is not State.CLOSED
    pair.mc.receive_data(pack(DELIVER, 1) * 5, pair.now)
    assert events(pair.mc)[-1] == Closed("too many errors")


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=200, deadline=None)
def test_garbage_never_raises(data: bytes, is_bound: bool) -> None:
    pair = Pair()
    if is_bound:
        pair.bind()
    for session in (pair.mc, pair.esme):
        session.receive_data(data, pair.now)
        session.handle_timer(pair.now + 5)
        session.data_to_send()


STORY = (
    [pack(BindTransceiver("customer", "secret"), 1)]
    + [pack(SUBMIT, i) for i in range(2, 8)]
    + [pack(EnquireLink(), 8), pack(DataSm(destination_addr="123", tlvs=((0x424, b"x"),)), 9)]
    + [pack(AlertNotification(), 10), pack(Unbind(), 11)]
)


def tell(pieces: list[bytes]) -> tuple[list[object], list[Pdu]]:
    """A centre that hears these pieces and answers at once: what it was asked for, what it said."""
    session = Session(Role.MC, SessionConfig(system_id="centre"), 0.0)
    asked: list[object] = []
    answered = b""
    for piece in pieces:
        session.receive_data(piece, 0.0)
        while (event := session.next_event()) is not None:
            if isinstance(event, BindReceived):
                session.accept(0.0)
            if isinstance(event, RequestsReceived):
                asked += event.requests
                for request in event.requests:
                    answer = RESPONSE_TO[type(request)]
                    session.answer(answer(sequence_number=request.sequence_number), 0.0)  # type: ignore[arg-type, call-arg]
            elif not isinstance(event, BindReceived):
                asked.append(event)
        answered += session.data_to_send()
    pdus, _ = parse_pdus(answered)
    return asked, sorted(pdus, key=lambda pdu: pdu.sequence_number)  # type: ignore[return-value]


@given(st.lists(st.integers(1, 800), max_size=20))
@settings(max_examples=100, deadline=None)
def test_where_reads_are_cut_makes_no_difference(cuts: list[int]) -> None:
    bind, rest = STORY[0], b"".join(STORY[1:])
    marks = sorted({0, len(rest), *(cut for cut in cuts if cut < len(rest))})
    pieces = [rest[a:b] for a, b in itertools.pairwise(marks)]
    assert tell([bind[:7], bind[7:], *pieces]) == tell(STORY)


def test_what_makes_a_session_is_not_changed_under_it() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SessionConfig().window = 7  # type: ignore[misc]


def test_what_is_not_ours_to_send_is_our_own_error() -> None:
    pair = Pair()
    with pytest.raises(LocalProtocolError, match="submit_sm is not sent by ESME in OPEN"):
        pair.esme.send(SUBMIT, None, pair.now)
    with pytest.raises(LocalProtocolError, match="no bind waits"):
        pair.mc.accept(pair.now)
    pair.bind(State.BOUND_TX)
    with pytest.raises(LocalProtocolError, match="deliver_sm is not sent by MC in BOUND_TX"):
        pair.mc.send(DELIVER, None, pair.now)
    with pytest.raises(LocalProtocolError):
        pair.esme.bind(BindReceiver(), pair.now)


def test_a_message_that_cannot_be_written_takes_no_place_in_the_window() -> None:
    pair = Pair()
    pair.bind()
    with pytest.raises(LocalProtocolError):
        pair.esme.send(SUBMIT._replace(source_addr="x" * 30), None, pair.now)
    assert pair.esme.outstanding == 0


def test_commands_and_their_answers_are_all_there() -> None:
    requests = {c for c in CommandId if not c & 0x80000000} - {
        CommandId.OUTBIND,
        CommandId.ALERT_NOTIFICATION,
    }
    assert {COMMANDS[pdu] for pdu in RESPONSE_TO} == requests
