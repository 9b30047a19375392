"""Customers bind, submit, ask and are delivered to; strangers, guessers and greedy ones are not served."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from switchroom.protocols import smpp
from switchroom.protocols.smpp import Status, Tag
from switchroom.switch.sms.interfaces import QUEUE_FULL, Concat, State

from .desk import CUSTOMER, PASSWORD, SUBMIT, Attempts, desk, notice, part, until


async def test_a_customer_binds_and_submits() -> None:
    async with desk() as one:
        customer = await one.connect()
        answer = await customer.ask(SUBMIT._replace(sequence_number=7))
        assert answer == smpp.SubmitSmResp("1", (), 0, 7)
        (submission,) = one.centre.submissions
        assert submission.inlet == "account:customer"
        assert (submission.source.number, submission.destination.number) == ("+491711", "+4917123")
        assert (submission.body, submission.coding, submission.wish) == (b"hello", 0, 1)
        assert one.room.binds()[0]["state"] == "bound_trx"


async def test_a_read_is_one_batch_and_is_answered_when_it_is_on_the_disk() -> None:
    async with desk() as one:
        one.centre.delay = 0.05
        customer = await one.connect()
        begun = time.monotonic()
        customer.write(*(SUBMIT._replace(sequence_number=i) for i in range(10, 60)))
        answers = [await customer.read() for _ in range(50)]
        assert time.monotonic() - begun >= 0.05
        assert [answer.sequence_number for answer in answers] == list(range(10, 60))


async def test_what_the_centre_refuses_has_its_status() -> None:
    async with desk() as one:
        customer = await one.connect()
        one.centre.refusal = QUEUE_FULL
        assert (await customer.ask(SUBMIT)).status == Status.RMSGQFUL


async def test_lies_never_reach_the_centre() -> None:
    async with desk() as one:
        customer = await one.connect()
        assert (await customer.ask(SUBMIT._replace(destination_addr=""))).status == Status.RINVDSTADR
        assert one.centre.submissions == []


async def test_headers_sar_and_payload_are_read_alike() -> None:
    async with desk() as one:
        customer = await one.connect()
        sar = (
            (Tag.SAR_MSG_REF_NUM, b"\1\2"),
            (Tag.SAR_TOTAL_SEGMENTS, b"\3"),
            (Tag.SAR_SEGMENT_SEQNUM, b"\2"),
        )
        for request in (
            SUBMIT._replace(esm_class=0x40, short_message=b"\x05\0\3\7\2\1text"),
            SUBMIT._replace(esm_class=0x40, short_message=b"\x0b\x05\4\x0b\x84\x23\xf0\0\3\7\2\2more"),
            SUBMIT._replace(tlvs=(*sar, (0x1400, b"vendor"))),
            SUBMIT._replace(short_message=b"", tlvs=((Tag.MESSAGE_PAYLOAD, b"p" * 500),)),
        ):
            assert (await customer.ask(request)).status == 0
        a, b, c, d = one.centre.submissions
        assert (a.body, a.udh, a.concat, a.esm_class) == (b"text", b"", Concat(7, 2, 1), 0)
        assert (b.body, b.udh, b.concat) == (b"more", b"\x05\4\x0b\x84\x23\xf0", Concat(7, 2, 2))
        assert (c.concat, c.tlvs) == (Concat(0x102, 3, 2), ((0x1400, b"vendor"),))
        assert (d.body, d.tlvs) == (b"p" * 500, ())


async def test_times_become_seconds() -> None:
    async with desk() as one:
        customer = await one.connect()
        await customer.ask(
            SUBMIT._replace(
                schedule_delivery_time="271231235959004+", validity_period="000001000000000R", priority_flag=2
            )
        )
        (submission,) = one.centre.submissions
        assert submission.schedule_at == 1830293999.0  # 2027-12-31 22:59:59 UTC
        assert submission.expires_at == pytest.approx(time.time() + 86400, abs=5)
        assert submission.priority == 2


async def test_latin_1_is_said_of_those_who_speak_it() -> None:
    accounts = [{"name": "customer", "password": PASSWORD, "default_alphabet": "latin-1"}]
    async with desk(smpp_accounts=accounts) as one:
        customer = await one.connect()
        await customer.ask(SUBMIT._replace(short_message=b"\xe4"))
        assert one.centre.submissions[0].coding == 3


async def test_data_sm_and_submit_multi() -> None:
    async with desk() as one:
        customer = await one.connect()
        answer = await customer.ask(
            smpp.DataSm("", 1, 1, "491711", 1, 1, "4917123", tlvs=((Tag.MESSAGE_PAYLOAD, b"data"),))
        )
        assert answer == smpp.DataSmResp("1", (), 0, 0)
        to = [
            smpp.Destination(1, 1, "4917123"),
            smpp.Destination(1, 1, "nobody"),
            smpp.Destination(dl_name="all"),
        ]
        answer = await customer.ask(
            smpp.SubmitMulti("", 1, 1, "491711", tuple(to), short_message=b"many", sequence_number=9)
        )
        assert answer.status == 0
        assert [bad.error_status_code for bad in answer.unsuccess_sme] == [
            Status.RINVDSTADR,
            Status.RINVDLNAME,
        ]
        assert [s.body for s in one.centre.submissions] == [b"data", b"many"]
        # its receipts have the same name
        one.centre.inlets["account:customer"].notify([notice(key=one.centre.submissions[1].key)], 0.0)
        receipt = await customer.read()
        assert smpp.value_of(receipt.tlvs, Tag.RECEIPTED_MESSAGE_ID) == answer.message_id.encode() + b"\0"
        found = await customer.ask(smpp.QuerySm(answer.message_id, 1, 1, "491711"))
        assert (found.status, found.message_id, found.message_state) == (0, answer.message_id, 2)
        answer = await customer.ask(smpp.SubmitMulti("", 1, 1, "491711", (to[1],), short_message=b"none"))
        assert (answer.status, answer.message_id) == (Status.RINVDSTADR, "")


async def test_query_cancel_replace() -> None:
    async with desk() as one:
        customer = await one.connect()
        await customer.ask(SUBMIT)
        answer = await customer.ask(smpp.QuerySm("1", 1, 1, "491711"))
        assert (answer.status, answer.message_id, answer.message_state) == (0, "1", 2)
        assert answer.final_date == "231114221320000+"
        assert (await customer.ask(smpp.QuerySm("1", 1, 1, "4999"))).status == Status.RQUERYFAIL
        for id in ("2", "x", "-1", "9" * 40):
            assert (await customer.ask(smpp.QuerySm(id))).status == Status.RINVMSGID
        assert (await customer.ask(smpp.CancelSm(message_id="1"))).status == 0
        assert one.centre.cancelled == [1]
        assert (await customer.ask(smpp.CancelSm("", "", 1, 1, "491711", 1, 1, "4917123"))).status == 0
        assert (
            await customer.ask(smpp.CancelSm("", "", 1, 1, "491711", 1, 1, "5"))
        ).status == Status.RCANCELFAIL
        assert (await customer.ask(smpp.ReplaceSm("1", short_message=b"new"))).status == 0
        ((id, new),) = one.centre.replaced
        assert (id, new.body, new.destination.number) == (1, b"new", "+4917123")
        assert (await customer.ask(smpp.BroadcastSm())).status == Status.RMISSINGTLV


async def test_who_speaks_5_hears_how_busy_we_are() -> None:
    async with desk(smpp={"max_unanswered": 4}) as one:
        newer = await one.connect(CUSTOMER._replace(interface_version=0x50))
        newer.write(*(SUBMIT._replace(sequence_number=i) for i in range(1, 4)))
        states = [smpp.value_of((await newer.read()).tlvs, Tag.CONGESTION_STATE) for _ in range(3)]
        assert states == [None, None, b"\x19"]  # the last of a read: one of four is not answered yet, itself
        older = await one.connect()
        assert (await older.ask(SUBMIT)).tlvs == ()


async def test_messages_and_receipts_go_to_the_customer() -> None:
    async with desk() as one:
        customer = await one.connect()
        outlet, inlet = one.centre.outlets["account:customer"], one.centre.inlets["account:customer"]
        outlet.send([part(concat=Concat(7, 2, 1)), part(udh=b"\x24\1\1", concat=Concat(7, 2, 2))], 0.0)
        first, second = await customer.read(), await customer.read()
        assert (first.source_addr_ton, first.source_addr, first.destination_addr) == (1, "491711", "4917123")
        assert (first.esm_class, first.short_message) == (0x40, b"\6\x08\4\0\7\2\1hello")
        assert second.short_message == b"\x09\x08\4\0\7\2\2\x24\1\1hello"
        inlet.notify([notice()], 0.0)
        receipt = await customer.read()
        assert receipt.esm_class == 4
        assert (receipt.source_addr, receipt.destination_addr) == ("4917123", "491711")
        assert receipt.short_message == (
            b"id:101 sub:001 dlvrd:001 submit date:2311142213 done date:2311142213 stat:DELIVRD err:000 "
            b"text:hello"
        )
        assert smpp.integer(receipt.tlvs, Tag.MESSAGE_STATE) == 2
        customer.write(
            smpp.DeliverSmResp("", (), 0, first.sequence_number),
            smpp.DeliverSmResp("", (), Status.RX_P_APPN, second.sequence_number),
            smpp.DeliverSmResp("", (), 0, receipt.sequence_number),
        )
        await until(lambda: one.centre.heard, "the receipt is acknowledged")
        assert one.centre.heard == [(1, True)]
        assert [(o.is_delivered, o.code) for o in one.centre.outcomes] == [
            (True, 0),
            (False, Status.RX_P_APPN),
        ]


async def test_receipts_that_are_not_acknowledged_come_again() -> None:
    async with desk() as one:
        customer = await one.connect()
        inlet = one.centre.inlets["account:customer"]
        inlet.notify([notice(1), notice(2)], 0.0)
        first = await customer.read()
        customer.write(smpp.DeliverSmResp("", (), Status.RX_T_APPN, first.sequence_number))
        await until(lambda: one.centre.heard, "the first one is refused")
        customer.close()
        await until(lambda: len(one.centre.heard) == 2, "the second one is lost")
        assert one.centre.heard == [(1, False), (2, False)]
        assert one.centre.inlets == one.centre.outlets == {}


async def test_a_full_window_is_no_room_and_its_end_is_told() -> None:
    accounts = [{"name": "customer", "password": PASSWORD, "window": 2}]
    async with desk(smpp_accounts=accounts) as one:
        one.centre.unsent = [part(id=i) for i in range(5)]
        customer = await one.connect()
        for _ in range(5):
            request = await customer.read()
            customer.write(smpp.DeliverSmResp("", (), 0, request.sequence_number))
        await until(lambda: len(one.centre.outcomes) == 5, "all are delivered")


async def test_a_transmitter_is_not_delivered_to() -> None:
    async with desk() as one:
        customer = await one.connect(smpp.BindTransmitter("customer", PASSWORD))
        assert one.centre.outlets == {}
        assert (await customer.ask(SUBMIT)).status == 0
        receiver = await one.connect(smpp.BindReceiver("customer", PASSWORD))
        assert list(one.centre.outlets) == ["account:customer"]
        assert (await receiver.ask(SUBMIT)).status == Status.RINVBNDSTS


# -- who is let in


@pytest.mark.parametrize(
    ("account", "bind", "status"),
    [
        ({}, smpp.BindTransceiver("customer", "wrong"), Status.RBINDFAIL),
        ({}, smpp.BindTransceiver("nobody", PASSWORD), Status.RBINDFAIL),
        ({}, smpp.BindTransceiver("", ""), Status.RBINDFAIL),
        ({"sources": ["192.0.2.0/24"]}, CUSTOMER, Status.RBINDFAIL),
        ({"sources": ["127.0.0.0/8"]}, CUSTOMER, Status.ROK),
        ({"tls_only": True}, CUSTOMER, Status.RBINDFAIL),
        ({"binds": ["receiver"]}, CUSTOMER, Status.RINVBNDSTS),
    ],
)
async def test_who_is_let_in(account: dict[str, Any], bind: smpp.Bind, status: Status) -> None:
    accounts = [{"name": "customer", "password": PASSWORD, **account}]
    async with desk(smpp_accounts=accounts) as one:
        customer = await one.connect(None)
        assert (await customer.ask(bind)).status == status
        if status:
            assert await customer.read() is None


async def test_no_more_binds_than_allowed() -> None:
    async with desk(smpp_accounts=[{"name": "customer", "password": PASSWORD, "max_binds": 2}]) as one:
        binds = [await one.connect() for _ in range(2)]
        third = await one.connect(None)
        assert (await third.ask(CUSTOMER)).status == Status.RALYBND
        binds[0].close()
        await until(lambda: len(one.room.binds()) == 1, "the first one is gone")
        binds.append(await one.connect())


async def test_who_guesses_is_answered_late_and_soon_not_at_all() -> None:
    async with desk(guard=Attempts(20)) as one:
        answered = 0
        begun = time.monotonic()
        for i in range(40):
            try:
                customer = await one.connect(None)
                answer = await customer.ask(smpp.BindTransceiver("customer", f"guess{i}"))
            except ConnectionError:
                continue
            answered += answer is not None
            customer.close()
        assert answered <= 20
        assert time.monotonic() - begun >= 20 * 0.05
        assert one.room.server.refused["banned"] == 20


async def test_secrets_are_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    async with desk() as one:
        customer = await one.connect(None)
        await customer.ask(smpp.BindTransceiver("customer", "hunter2"))
        customer.close()
        (await one.connect()).close()
    shown = capsys.readouterr().out
    assert "smpp.bind_failed" in shown
    assert "smpp.bound" in shown
    assert "hunter2" not in shown
    assert PASSWORD not in shown


async def test_a_stranger_says_nothing_for_long() -> None:
    async with desk(smpp={"bind_timeout": 0.3}) as one:
        customer = await one.connect(None)
        assert await customer.read(2.0) is None


async def test_connections_are_counted() -> None:
    async with desk(smpp={"max_connections_per_source": 2}) as one:
        held = [await one.connect() for _ in range(2)]
        with pytest.raises((ConnectionError, AssertionError)):
            await one.connect()
        assert one.room.server.refused["source"] == 1
        for customer in held:
            customer.close()
        await until(lambda: one.room.server.connections == 0, "they are gone")
        (await one.connect()).close()


# -- floods


async def test_what_is_beyond_the_rate_is_throttled_and_all_is_answered() -> None:
    async with desk(smpp_accounts=[{"name": "customer", "password": PASSWORD, "rate": 50.0}]) as one:
        customer = await one.connect()
        customer.write(*(SUBMIT._replace(sequence_number=i) for i in range(1, 501)))
        answers = [await customer.read() for _ in range(500)]
        accepted = sum(answer.status == 0 for answer in answers)
        assert 50 <= accepted <= 100
        assert {answer.status for answer in answers} == {0, Status.RTHROTTLED}


async def test_a_flood_is_read_no_faster_than_it_is_answered() -> None:
    accounts = [{"name": name, "password": PASSWORD} for name in ("customer", "other")]
    async with desk(smpp={"max_unanswered": 100}, smpp_accounts=accounts) as one:
        one.centre.delay = 0.1
        customer = await one.connect()
        customer.write(*(SUBMIT._replace(sequence_number=i) for i in range(1, 30_001)))
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        other = await one.connect(smpp.BindTransceiver("other", PASSWORD))
        assert (await other.ask(SUBMIT)).status == 0
        assert time.monotonic() - begun < 1.0
        assert len(one.centre.submissions) < 30_000  # the rest waits with the kernel
        for _ in range(30_000):
            assert (await customer.read(10.0)).status == 0


async def test_who_never_reads_is_not_read_either_and_in_the_end_cut_off() -> None:
    async with desk(
        smpp={"write_buffer_size": 4096, "enquire_interval": 0.5, "response_timeout": 0.5}
    ) as one:
        customer = await one.connect(limit=1024)
        customer.writer.transport.set_write_buffer_limits(1 << 30)
        customer.write(*(smpp.QuerySm("1", sequence_number=i) for i in range(1, 300_000)))
        await until(lambda: not one.room.binds(), "it is cut off", 20.0)
        assert one.centre.outlets == {}


@pytest.mark.parametrize("size", [0, 3, 70_001, 0xFFFFFFFF])
async def test_a_length_that_lies_is_nacked_and_ends_it(size: int) -> None:
    async with desk() as one:
        customer = await one.connect()
        customer.writer.write(size.to_bytes(4) + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8)))
        assert await customer.read() == smpp.GenericNack(Status.RINVCMDLEN, 8)
        assert await customer.read(5.0) is None


async def test_half_a_pdu_is_not_waited_for() -> None:
    async with desk(smpp={"pdu_timeout": 0.3}) as one:
        customer = await one.connect()
        customer.writer.write(smpp.pack(SUBMIT)[:30])
        assert await customer.read(5.0) is None


# -- ends


async def test_the_end_of_the_switch_unbinds_and_answers_what_came() -> None:
    async with desk() as one:
        one.centre.delay = 0.1
        customer = await one.connect()
        customer.write(SUBMIT._replace(sequence_number=7))
        await until(lambda: one.centre.submissions, "it has come")
        stopping = asyncio.create_task(one.room.stop())
        answers = [await customer.read(), await customer.read()]
        assert [type(answer) for answer in answers] == [smpp.SubmitSmResp, smpp.Unbind]
        customer.write(smpp.UnbindResp(0, answers[1].sequence_number))
        assert await customer.read() is None
        await stopping


async def test_other_passwords_end_binds_and_others_go_on() -> None:
    accounts = [{"name": name, "password": PASSWORD} for name in ("customer", "other", "third")]
    async with desk(smpp_accounts=accounts) as one:
        binds = {
            name: await one.connect(smpp.BindTransceiver(name, PASSWORD))
            for name in ("customer", "other", "third")
        }
        from .desk import config_of

        changed = [
            {"name": "customer", "password": "changed"},
            {"name": "other", "password": PASSWORD, "window": 3},
        ]
        one.room.reconfigure(config_of(smpp_accounts=changed), one.room._tls)
        assert isinstance(await binds["customer"].read(), smpp.Unbind)
        assert isinstance(await binds["third"].read(), smpp.Unbind)
        assert (await binds["other"].ask(SUBMIT)).status == 0
        assert one.room.binds()[-1]["window"] == "0/3"


async def test_states_of_receipts() -> None:
    async with desk() as one:
        customer = await one.connect()
        inlet = one.centre.inlets["account:customer"]
        words = {}
        for state in State:
            inlet.notify([notice(state=state)], 0.0)
            receipt = await customer.read()
            words[state] = smpp.parse_receipt(receipt.short_message.decode()).stat
            customer.write(smpp.DeliverSmResp("", (), 0, receipt.sequence_number))
        assert words[State.EXPIRED] == "EXPIRED"
        assert words[State.UNDELIVERABLE] == "UNDELIV"
        assert words[State.REJECTED] == "REJECTD"
        assert words[State.QUEUED] == "ENROUTE"
