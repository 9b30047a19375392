"""tshark's dissector, written by nobody here, reads our PDUs: names, fields and numbers as we mean them."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols import pcap, smpp
from switchroom.protocols.smpp import DataSm, Pdu, Status, SubmitSmResp, Tag
from switchroom.protocols.smpp.layout import COMMANDS, LAYOUTS, TEXT

from .samples import CLASSES, filled

pytestmark = pytest.mark.peer("tshark")

ADDRESSES = bytes((127, 0, 0, 1, 127, 0, 0, 2))
SIZES = {  # of the optional parameters that are not one octet (SMPP 5.0 §4.8.4)
    Tag.DEST_TELEMATICS_ID: 2,
    Tag.QOS_TIME_TO_LIVE: 4,
    Tag.USER_MESSAGE_REFERENCE: 2,
    Tag.SOURCE_PORT: 2,
    Tag.DESTINATION_PORT: 2,
    Tag.SAR_MSG_REF_NUM: 2,
    Tag.NETWORK_ERROR_CODE: 3,
    Tag.BROADCAST_CONTENT_TYPE: 3,
    Tag.BROADCAST_FREQUENCY_INTERVAL: 3,
    Tag.BROADCAST_ERROR_STATUS: 4,
    Tag.SMS_SIGNAL: 2,
    Tag.ITS_SESSION_INFO: 2,
}
OTHER_NAMES = {"destination_port": "dest_port"}  # ours is the standard's


def capture(path: Path, pdus: list[Pdu]) -> Path:
    """A file as if these had gone over one TCP connection to port 2775, each in its own segment."""
    records, seq = [pcap.HEADER], 1
    for pdu in pdus:
        payload = smpp.pack(pdu)
        tcp = struct.pack("!HHIIBBHHH", 40_000, 2775, seq, 1, 0x50, 0x18, 65_535, 0, 0) + payload
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0)
        size = 20 + len(tcp)
        records.append(struct.pack("<IIII", 1, 0, size, size) + head + ADDRESSES + tcp)
        seq += len(payload)
    path.write_bytes(b"".join(records))
    return path


def dissect(path: Path, *options: str) -> str:
    command = ["tshark", "-n", "-r", str(path), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def as_json(path: Path) -> list[dict[str, Any]]:
    packets = json.loads(dissect(path, "-T", "json"))
    return [packet["_source"]["layers"]["smpp"] for packet in packets]


def test_every_command_is_read_with_our_values(tmp_path: Path) -> None:
    values = [filled(pdu, 100 + i) for i, pdu in enumerate(CLASSES)]
    path = capture(tmp_path / "commands.pcap", values)
    compared = 0
    for value, found in zip(values, as_json(path), strict=True):
        command_id = COMMANDS[type(value)]
        assert int(found["smpp.command_id"], 16) == command_id
        assert int(found["smpp.command_length"]) == len(smpp.pack(value))
        assert int(found["smpp.sequence_number"]) == value.sequence_number
        for field in LAYOUTS[command_id].fields:
            if field.kind == TEXT and (key := f"smpp.{field.name}") in found:
                assert found[key] == getattr(value, field.name), (command_id, field.name)
                compared += 1
    assert compared > 40  # the names are those of the standard on both sides
    assert "malformed" not in dissect(path, "-V").lower()


def test_every_optional_parameter_is_known_by_our_name(tmp_path: Path) -> None:
    values: list[Pdu] = [DataSm(tlvs=((tag, sample(tag)),)) for tag in Tag]
    text = dissect(capture(tmp_path / "tlvs.pcap", values), "-V")
    found = {int(tag, 16): name for name, tag in re.findall(r"Optional parameter: (\S+) \((0x\w+)\)", text)}
    assert found == {tag: OTHER_NAMES.get(tag.name.lower(), tag.name.lower()) for tag in Tag}
    assert "malformed" not in text.lower()


def sample(tag: Tag) -> bytes:
    if tag is Tag.BROADCAST_END_TIME:
        return b"261231235959000+\0"
    return b"\1" * SIZES.get(tag, 1)


def test_every_status_is_known(tmp_path: Path) -> None:
    """One that tshark does not know it shows as reserved, or as unknown."""
    values: list[Pdu] = [SubmitSmResp(status=status) for status in Status]
    text = dissect(capture(tmp_path / "statuses.pcap", values), "-V")
    found = re.findall(r"Result *: (.+?) \((0x\w+)\)", text)
    assert [int(status, 16) for _, status in found] == list(Status)
    assert [name for name, _ in found if re.search("unknown|reserved", name, re.IGNORECASE)] == [
        "Unknown error"
    ]
    assert len({name for name, _ in found}) == len(Status)
