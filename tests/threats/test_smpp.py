"""THREATS E1 to E7 over SMPP: guesses, lies, orphans, borrowed senders, floods, idle and flapping binds."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols import smpp
from switchroom.protocols.smpp import Status

from ..peers.harness import Switch, wait_until
from ..peers.ports import free_port
from ..peers.smsc import PASSWORD, SmscSimulator, trunk
from .conftest import size

MESSAGE = smpp.SubmitSm("", 5, 0, "ACME", 1, 1, "491711", short_message=b"hello")
PORT = free_port()


class Esme:
    """A customer on a bare socket."""

    def __init__(
        self, system_id: str = "acme", *, port: int = PORT, timeout: float = 5.0, source: str = "127.0.0.1"
    ) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout, (source, 0))
        self._left = b""
        self._pdus: list[Any] = []
        try:
            if system_id:
                self.send(smpp.BindTransceiver(system_id, PASSWORD, interface_version=0x50))
                assert self.read().status == Status.ROK
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self) -> Esme:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *pdus: Any) -> None:
        self.sock.sendall(b"".join(smpp.pack(pdu, pdu.sequence_number or 1) for pdu in pdus))

    def read(self) -> Any:
        """The next PDU; ConnectionError: there is none."""
        while not self._pdus:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionResetError
            self._left += data
            self._pdus, used = smpp.parse_pdus(self._left)
            self._left = self._left[used:]
        pdu = self._pdus.pop(0)
        assert not isinstance(pdu, smpp.Malformed), pdu
        if not isinstance(pdu, smpp.EnquireLink):
            return pdu
        self.send(smpp.EnquireLinkResp(sequence_number=pdu.sequence_number))
        return self.read()

    def ask(self, pdu: Any) -> Any:
        self.send(pdu)
        return self.read()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """Its own limits, but for one address that stands for many, and for whom it bans."""
    with Switch(
        tmp_path_factory.mktemp("target"),
        users=[],
        sms={"reserve": 1},
        smpp={
            "listen": [f"smpp:127.0.0.1:{PORT}"],
            "max_connections_per_source": 2000,
            "bind_delay": 0.05,
            "pdu_timeout": 1.0,
        },
        auth={"max_failures": 20},
        smpp_accounts=[
            {"name": "acme", "password": PASSWORD, "max_binds": 1200},
            {"name": "whole", "password": PASSWORD, "long_messages": "payload"},
            {"name": "never", "password": PASSWORD},
        ],
        sms_routes=[
            {"name": "whole", "match": "+4930", "to": "account:whole"},
            {"name": "all", "to": "account:never"},
        ],
        sms_rules=[{"inlets": ["account:acme"], "sources": "ACME +49*"}],
    ) as running:
        yield running
        assert "Traceback" not in running.log.read_text(errors="replace")


def is_served(limit: float = 1.0) -> bool:
    """Whether somebody else binds and submits meanwhile, in time."""
    began_at = time.monotonic()
    with Esme() as other:
        assert other.ask(MESSAGE._replace(destination_addr="4930", sequence_number=2)).status == Status.ROK
    return time.monotonic() - began_at < limit


# -- E1: guesses


def test_guesses(target: Switch) -> None:
    """One error whatever is wrong, and after some of them none at all; others are not kept out."""
    answers = []
    for number in range(40):
        name, password = ("acme", f"guess{number}") if number % 2 else (f"name{number}", PASSWORD)
        with suppress(OSError), Esme("", source="127.0.9.1") as one:
            answers.append(one.ask(smpp.BindTransceiver(name, password)).status)
    assert 0 < len(answers) <= 25
    assert set(answers) == {Status.RBINDFAIL}
    assert is_served()


# -- E2, E3: lies


def test_lies_are_never_taken(target: Switch) -> None:
    sound = smpp.pack(MESSAGE, 7)
    text = sound.index(b"\5hello")

    def bent(body: bytes) -> bytes:
        return (16 + len(body)).to_bytes(4) + sound[4:16] + body

    head, tail = sound[16:text], sound[text:]
    wrong = [
        smpp.pack(MESSAGE._replace(**fields), 7)
        for fields in (
            {"destination_addr": ""},
            {"destination_addr": "not a number"},
            {"destination_addr": "4917\x0711"},
            {"dest_addr_ton": 9},
            {"dest_addr_npi": 99},
            {"source_addr": "49\n1", "source_addr_ton": 1},
            {"source_addr_ton": 8},
            {"esm_class": 0x3C},
            {"esm_class": 0x40, "short_message": b"\xff\0\3\1\3\1x"},
            {"esm_class": 0x40, "short_message": b"\5\0\4\1\3\1x"},
            {"esm_class": 0x40, "short_message": b"\5\0\3\1\3\4x"},
            {"esm_class": 0x40, "short_message": b"\5\0\3\1\0\0x"},
            {"esm_class": 0x40, "short_message": b""},
            {"priority_flag": 99},
            {"registered_delivery": 0xE0},
            {"replace_if_present_flag": 7},
            {"data_coding": 0x0F},
            {"sm_default_msg_id": 5},
            {"schedule_delivery_time": "tomorrow"},
            {"validity_period": "991399256199000+"},
            {"validity_period": "000000000000000+"},
            {"tlvs": ((smpp.Tag.MESSAGE_PAYLOAD, b"too"),)},
            {"tlvs": ((smpp.Tag.SAR_TOTAL_SEGMENTS, b"\2"),)},
            {"tlvs": ((smpp.Tag.SAR_MSG_REF_NUM, b"\0\1"), (smpp.Tag.SAR_TOTAL_SEGMENTS, b"\2"),
                      (smpp.Tag.SAR_SEGMENT_SEQNUM, b"\3"))},
            {"tlvs": ((smpp.Tag.MESSAGE_PAYLOAD, b"x" * 65_000),), "short_message": b""},
        )
    ]  # fmt: skip
    wrong += [
        bent(head + b"\xff" + tail[1:]),  # sm_length 255
        bent(head + b"\6" + tail[1:]),
        bent(head + b"\4" + tail[1:]),
        bent(head),
        bent(head + tail + b"\x14\x24\xff\xff"),  # a parameter that is cut off
        bent(head + tail + b"\x14\x24\0"),
        bent(b"\0\5\0" + b"A" * 60 + head[4:] + tail),  # no end of the address
    ]
    for lie in wrong:
        with Esme() as one:
            one.sock.sendall(lie)
            answer = one.read()
            assert answer.status != Status.ROK, lie
            assert one.ask(MESSAGE._replace(sequence_number=8)).status == Status.ROK, lie  # and goes on
    assert target.is_alive


@pytest.mark.parametrize("length", [0, 15, 70_001, 16 << 20, 0xFFFFFFFF])
@pytest.mark.parametrize("is_bound", [True, False])
def test_a_length_that_lies_is_cut_off(target: Switch, length: int, is_bound: bool) -> None:
    before = target.rss_bytes()
    with Esme("acme" if is_bound else "") as one:
        began_at = time.monotonic()
        one.sock.sendall(length.to_bytes(4) + smpp.pack(MESSAGE, 9)[4:16])
        assert one.read() == smpp.GenericNack(Status.RINVCMDLEN, 9)
        with pytest.raises(ConnectionError):
            one.read()
        assert time.monotonic() - began_at < 5.0
    assert target.rss_bytes() - before < 16 << 20


def test_half_a_pdu_is_cut_off(target: Switch) -> None:
    with Esme() as one, Esme("") as stranger:
        for sock in (one.sock, stranger.sock):
            sock.sendall(smpp.pack(MESSAGE, 9)[:20])
        for end in (one, stranger):
            with pytest.raises(ConnectionError):
                end.read()
    assert is_served()


def test_garbage(target: Switch) -> None:
    """Sound PDUs with octets turned, cut and doubled, from customers and strangers."""
    chance = random.Random(7)
    kinds = [MESSAGE, smpp.DataSm(), smpp.SubmitMulti(dest_address=(smpp.Destination(1, 1, "491"),)),
             smpp.QuerySm("1"), smpp.CancelSm("1"), smpp.ReplaceSm("1"), smpp.BroadcastSm(),
             smpp.EnquireLink(), smpp.DeliverSmResp(), smpp.GenericNack(),
             smpp.BindTransceiver("acme", "x")]  # fmt: skip
    before = target.rss_bytes()
    for turn in range(size(150, 5000)):
        source = f"127.0.{20 + turn // 200}.{turn % 200 + 1}"  # who binds wrongly too often is banned
        name = chance.choice(["acme", "acme", ""])
        with suppress(ConnectionError, TimeoutError), Esme(name, source=source) as one:
            data = bytearray(b"".join(smpp.pack(chance.choice(kinds), n) for n in range(2, 30)))
            for _ in range(chance.randrange(1, 12)):
                at = chance.randrange(len(data))
                data[at : at + chance.choice([1, 1, 1, 0, 4])] = chance.randbytes(chance.choice([1, 1, 0, 3]))
            one.sock.sendall(data)
            one.sock.settimeout(0.02)
            while True:
                one.read()
    assert is_served()
    assert target.rss_bytes() - before < 50 << 20


# -- E4: parts without their others


def test_orphan_parts_cost_little_and_whole_ones_arrive(target: Switch) -> None:
    part = MESSAGE._replace(source_addr="49100", source_addr_ton=1, destination_addr="4930", esm_class=0x40)
    before = target.rss_bytes()
    with Esme("whole") as receiver, Esme() as one:
        for first in range(0, size(3000, 100_000), 100):
            orphans = [
                part._replace(
                    source_addr=f"491{number >> 8:05}",
                    short_message=bytes((5, 0, 3, number & 0xFF, 3, 1)) + b"orphan",
                    sequence_number=number + 2,
                )
                for number in range(first, first + 100)
            ]
            one.send(*orphans)
            assert {one.read().status for _ in orphans} == {Status.ROK}
        for number in (3, 1, 2):
            body = bytes((5, 0, 3, 77, 3, number)) + b"part%d " % number
            assert one.ask(part._replace(source_addr="4999", short_message=body)).status == Status.ROK
        while True:
            heard = receiver.read()
            if heard.source_addr == "4999":
                break
            receiver.send(smpp.DeliverSmResp(sequence_number=heard.sequence_number))
    payload = heard.short_message or smpp.value_of(heard.tlvs, smpp.Tag.MESSAGE_PAYLOAD)
    assert payload == b"part1 part2 part3 "
    assert target.rss_bytes() - before < 200 << 20


# -- E6: borrowed senders


@pytest.mark.parametrize("sender", ["BANK", "ACME2", "ACM", "12345", "+44123", ""])
def test_a_sender_that_is_not_its_own(target: Switch, sender: str) -> None:
    multi = smpp.SubmitMulti("", 5, 0, sender, (smpp.Destination(1, 1, "491"),), sequence_number=3)
    with Esme() as one:
        assert one.ask(MESSAGE._replace(source_addr=sender)).status == Status.RINVSRCADR
        assert one.ask(multi).status == Status.RINVSRCADR
        assert one.ask(MESSAGE).status == Status.ROK


# -- E7: floods, idle binds, those who never read


def test_a_thousand_idle_binds(target: Switch) -> None:
    count = size(300, 1000)
    before, cpu = target.rss_bytes(), target.cpu_seconds()
    idle = [Esme() for _ in range(count)]
    try:
        assert target.metric('switchroom_smpp_binds{name="account:acme"}') >= count
        assert is_served()
        assert (target.rss_bytes() - before) / count < 40 << 10
        cpu = target.cpu_seconds()
        time.sleep(2.0)
        assert target.cpu_seconds() - cpu < 0.5
    finally:
        for one in idle:
            one.sock.close()
    wait_until(
        lambda: target.metric('switchroom_smpp_binds{name="account:acme"}') == 0, 10.0, "their end", 0.2
    )


def test_a_flood_from_one_who_never_reads(target: Switch) -> None:
    data = b"".join(smpp.pack(MESSAGE, n) for n in range(2, 20_002))
    before = target.rss_bytes()
    with Esme(timeout=2.0) as one:
        sender = threading.Thread(target=_send_all, args=(one.sock, data * size(2, 20)), daemon=True)
        sender.start()
        for _ in range(5):
            assert is_served(2.0)
        assert target.rss_bytes() - before < 200 << 20
    sender.join(10)
    assert is_served()


def _send_all(sock: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        sock.sendall(data)


# -- a carrier that flaps


def test_a_carrier_that_flaps(tmp_path: Path) -> None:
    port, customers = free_port(), free_port()
    with (
        SmscSimulator(tmp_path, "--set", "disconnect_after=4") as carrier,
        Switch(
            tmp_path / "switch",
            users=[],
            sms={"reserve": 1, "retry_first": 0.2, "retry_longest": 0.5},
            smpp={"listen": [f"smpp:127.0.0.1:{customers}"]},
            smpp_accounts=[{"name": "acme", "password": PASSWORD}],
            smpp_trunks=[
                trunk("flaps", carrier.address, reconnect_min=0.05, reconnect_max=0.1),
                trunk("shuts", f"smpp:127.0.0.1:{port}", reconnect_min=0.2, reconnect_max=1.0),
            ],
            sms_routes=[{"name": "all", "to": "trunk:flaps"}],
        ) as switch,
        closing(socket.create_server(("127.0.0.1", port))) as shuts,
    ):
        connected: list[float] = []
        threading.Thread(target=_shut, args=(shuts, connected), daemon=True).start()
        with Esme(port=customers, timeout=20.0) as one:
            for number in range(2, 14):
                one.send(MESSAGE._replace(registered_delivery=1, sequence_number=number))
            answers, receipts = [], []
            while len(receipts) < 12:
                pdu = one.read()
                if isinstance(pdu, smpp.SubmitSmResp):
                    answers.append(pdu.status)
                elif isinstance(pdu, smpp.DeliverSm):
                    receipts.append(pdu)
                    one.send(smpp.DeliverSmResp(sequence_number=pdu.sequence_number))
        assert answers == [Status.ROK] * 12
        assert {b"stat:DELIVRD" in pdu.short_message for pdu in receipts} == {True}
        assert len(connected) <= 20  # it is not dialled more and more often
        assert switch.is_alive


def _shut(server: socket.socket, connected: list[float]) -> None:
    with suppress(OSError):
        while True:
            server.accept()[0].close()
            connected.append(time.monotonic())
