"""A customer and a carrier on bare sockets who write down what they were told, for kills of the switch."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from switchroom.protocols import smpp

ACCEPTED = 0


@dataclass
class Ledger:
    """What both ends know."""

    acknowledged: list[str] = field(default_factory=list)  # texts that the switch took
    life: int = 0  # of the switch
    carried: dict[str, list[int]] = field(
        default_factory=dict
    )  # texts that the carrier took, and in which lives
    receipted: Counter[str] = field(default_factory=Counter)  # ids that receipts came for, at the customer
    ids: dict[str, str] = field(default_factory=dict)  # the switch's id of each text
    owed: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # receipts the switch has not taken

    @property
    def lost(self) -> list[str]:
        """What was acknowledged and came nowhere."""
        return [text for text in self.acknowledged if text not in self.carried]

    @property
    def repeated(self) -> Counter[int]:
        """How many messages of each life came again in a later one."""
        return Counter(life for lives in self.carried.values() for life in lives[:-1])


class _End:
    """One connection: PDUs in, PDUs out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, life: int = 0) -> None:
        self.reader, self.writer, self.life = reader, writer, life
        self._left = b""
        self._sequence = 0

    async def read(self) -> list[Any]:
        data = await self.reader.read(65536)
        if not data:
            raise ConnectionResetError
        data = self._left + data
        pdus, used = smpp.parse_pdus(data)
        self._left = data[used:]
        return list(pdus)

    def send(self, *pdus: Any) -> None:
        self.writer.write(b"".join(map(smpp.pack, pdus)))

    def number(self) -> int:
        self._sequence += 1
        return self._sequence


class Carrier:
    """A message centre that takes everything, and gives a receipt for it until that is taken."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.count = 0

    async def serve(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._run, "127.0.0.1", port)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = _End(reader, writer, self.ledger.life)
        waiting: dict[int, str] = {}
        try:
            while True:
                for pdu in await end.read():
                    self._take(end, pdu, waiting)
                await writer.drain()
        except OSError:
            writer.close()

    def _take(self, end: _End, pdu: Any, waiting: dict[int, str]) -> None:
        if isinstance(pdu, smpp.BindTransceiver):
            end.send(smpp.BindTransceiverResp("carrier", (), 0, pdu.sequence_number))
            for id in list(self.ledger.owed):  # those of the life before
                self._send_receipt(end, id, waiting)
        elif isinstance(pdu, smpp.SubmitSm):
            self.count += 1
            id = f"{self.count:08x}"
            self.ledger.carried.setdefault(pdu.short_message.decode(), []).append(end.life)
            self.ledger.owed[id] = (pdu.source_addr, pdu.destination_addr, id)
            end.send(smpp.SubmitSmResp(id, (), 0, pdu.sequence_number))
            self._send_receipt(end, id, waiting)
        elif isinstance(pdu, smpp.DeliverSmResp):
            self.ledger.owed.pop(waiting.pop(pdu.sequence_number, ""), None)  # type: ignore[call-overload]
        elif isinstance(pdu, smpp.EnquireLink):
            end.send(smpp.EnquireLinkResp(0, pdu.sequence_number))

    def _send_receipt(self, end: _End, id: str, waiting: dict[int, str]) -> None:
        source, destination, _ = self.ledger.owed[id]
        text = f"id:{id} sub:001 dlvrd:001 submit date:2611230000 done date:2611230000 stat:DELIVRD err:000"
        number = end.number()
        waiting[number] = id
        end.send(
            smpp.DeliverSm(
                source_addr=destination,
                destination_addr=source,
                esm_class=4,
                short_message=text.encode(),
                sequence_number=number,
            )
        )


class Customer:
    """Submits as fast as its window allows, and takes receipts."""

    def __init__(self, ledger: Ledger, window: int = 20) -> None:
        self.ledger, self.window = ledger, window
        self.serial = 0
        self.is_submitting = True

    async def live(self, port: int, password: str) -> None:
        """One life of the switch: bind, submit, hear, until the connection breaks."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        end = _End(reader, writer)
        end.send(smpp.BindTransceiver("acme", password, "", 0x34, 0, 0, "", 0, end.number()))
        waiting: dict[int, str] = {}
        try:
            while True:
                for pdu in await end.read():
                    self._take(end, pdu, waiting)
                while self.is_submitting and len(waiting) < self.window:
                    self._submit(end, waiting)
                await writer.drain()
        except OSError:
            writer.close()

    def _submit(self, end: _End, waiting: dict[int, str]) -> None:
        self.serial += 1
        number, text = end.number(), f"message {self.serial}"
        waiting[number] = text
        end.send(
            smpp.SubmitSm(
                source_addr_ton=5,
                source_addr="ACME",
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=f"4917{random.randrange(10**8):08d}",
                registered_delivery=1,
                short_message=text.encode(),
                sequence_number=number,
            )
        )

    def _take(self, end: _End, pdu: Any, waiting: dict[int, str]) -> None:
        if isinstance(pdu, smpp.SubmitSmResp):
            text = waiting.pop(pdu.sequence_number)
            if pdu.status == ACCEPTED:
                self.ledger.acknowledged.append(text)
                self.ledger.ids[text] = pdu.message_id
        elif isinstance(pdu, smpp.DeliverSm):
            id = pdu.short_message.decode().partition("id:")[2].partition(" ")[0]
            self.ledger.receipted[id] += 1
            end.send(smpp.DeliverSmResp("", (), 0, pdu.sequence_number))
        elif isinstance(pdu, smpp.EnquireLink):
            end.send(smpp.EnquireLinkResp(0, pdu.sequence_number))
