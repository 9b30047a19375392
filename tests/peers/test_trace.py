"""A call of three legs, seen by everything that shows calls: one id in all of it."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.switch.ops.trace.test_trace import decode_hep

from .harness import PASSWORD, Switch, users
from .phone import Dialog, Phone
from .ports import TETHER
from .raw import Message, audio
from .waiting import readable

PACKETS = 10
METHOD, CORRELATION = 15, 17  # HEP chunks: the message, and what belongs together


@dataclass(slots=True)
class Seen:
    """A call that is over, and what was told of it on the way."""

    switch: Switch
    call: str
    call_ids: set[str]
    followed: str = ""
    captured: list[dict[int, bytes]] = field(default_factory=list)


def read_until(process: subprocess.Popen[bytes], word: bytes, timeout: float = 10.0) -> str:
    """What a command that goes on has said, up to that word."""
    assert process.stdout is not None
    said = b""
    until = time.monotonic() + timeout
    while word not in said:
        assert readable([process.stdout], max(0.0, until - time.monotonic())), said
        said += os.read(process.stdout.fileno(), 65536)
    return said.decode()


def a_call(switch: Switch) -> tuple[str, set[str]]:
    """Two phones ring, one answers, the other is cancelled; its id while it is up, and all Call-IDs."""
    a, b, c = (Phone(switch.address, name, PASSWORD) for name in ("1001", "1002", "1003"))
    with a, b, c:
        assert b.register().status == c.register().status == 200
        dialog = a.start_call("77", audio(a.address[0], 40000))
        winner, loser = b.incoming(), c.incoming()
        assert isinstance(loser.invite, Message)
        loser.respond(loser.invite, 180, "Ringing")
        a.expect(180, call_id=dialog.call_id)
        b.accept(winner, audio(b.address[0], 40002))
        answer = a.answered(dialog)
        _talk(a.address[0], answer.body.decode())
        _cancelled(loser)
        (row,) = switch.calls()
        a.send(dialog.request("BYE"))
        winner.answer_bye()
        assert a.final(method="BYE", call_id=dialog.call_id).status == 200
        found: str = row["id"]
        return found, {dialog.call_id, winner.call_id, loser.call_id}


def _talk(host: str, description: str) -> None:
    """Ten packets from one phone to the other."""
    media = re.search(r"c=IN IP4 (\S+)[\s\S]*m=audio (\d+)", description)
    assert media is not None
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        one.bind((host, 40000))
        two.bind((host, 40002))
        two.settimeout(5.0)
        for seq in range(PACKETS):
            one.sendto(
                struct.pack("!BBHII", 0x80, 0, seq, 160 * seq, 0xABCD) + bytes(160), (media[1], int(media[2]))
            )
            assert len(two.recv(2048)) == 172


def _cancelled(loser: Dialog) -> None:
    cancel = loser.wait_for("CANCEL")
    loser.respond(cancel, 200)
    assert isinstance(loser.invite, Message)
    loser.respond(loser.invite, 487, "Request Terminated")
    loser.wait_for("ACK")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    collector = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with collector:
        collector.bind(("127.0.0.1", 0))
        collector.setblocking(False)
        switch = Switch(
            tmp_path_factory.mktemp("trace"),
            users=users([1001, 1002, 1003]),
            routes=[{"match": "77", "to": ["user:1002", "user:1003"], "order": "parallel"}],
            trace={"hep_address": f"127.0.0.1:{collector.getsockname()[1]}", "media_seconds": 60},
            log={"level": "debug"},
        )
        with switch:
            command = [*TETHER, sys.executable, "-m", "switchroom.switch", "trace", "77", "--follow"]
            follower = subprocess.Popen(
                [*command, "-c", str(switch.file)], stdout=subprocess.PIPE, cwd=switch.folder
            )
            try:
                call, call_ids = a_call(switch)
                made = Seen(switch, call, call_ids, read_until(follower, b"200 OK (BYE)"))
            finally:
                follower.kill()
                follower.communicate()
            while readable([collector], 0.2):
                made.captured.append(decode_hep(collector.recv(65536)))
            switch.wait_record()
            yield made


def test_the_ladder_shows_all_legs(seen: Seen) -> None:
    for what in (seen.call, seen.call[:20], "77", *seen.call_ids):
        shown = seen.switch.cli("trace", what).stdout
        for word in ("INVITE SDP", "CANCEL", "487", "200 OK", "BYE"):
            assert word in shown, (what, shown)
        assert all(f"{letter} = udp:127.0.0.1:" in shown for letter in "ABC"), shown
    assert "No message" in seen.switch.cli("trace", "no-such-call").stdout


def test_follow_shows_it_as_it_comes(seen: Seen) -> None:
    assert seen.followed.count("INVITE SDP") >= 3
    assert "CANCEL" in seen.followed


def test_text_and_json(seen: Seen) -> None:
    text = seen.switch.cli("trace", seen.call, "--text").stdout
    assert "INVITE sip:77@" in text
    assert "a=rtpmap" in text
    told = json.loads(seen.switch.cli("trace", seen.call, "--json").stdout)
    assert {one["call_id"] for one in told} == seen.call_ids
    assert {one["call"] for one in told} == {seen.call}
    digests = [line for line in text.splitlines() if "Authorization:" in line]
    assert digests
    assert all("response=" not in line or "***" in line for line in digests), digests


@pytest.mark.peer("tshark")
def test_wireshark_reads_the_capture(seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "call.pcap"
    assert seen.switch.cli("trace", seen.call, "--pcap", str(file)).returncode == 0
    fields = ["-T", "fields", "-e", "sip.Call-ID", "-e", "sip.CSeq.method", "-e", "udp.port"]
    ports = ["-d", "udp.port==1-65535,sip"]
    done = subprocess.run(
        ["tshark", "-r", str(file), *ports, *fields], capture_output=True, text=True, timeout=30, check=True
    )
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert {row[0] for row in rows} == seen.call_ids
    assert {"INVITE", "ACK", "CANCEL", "BYE"} <= {row[1] for row in rows}


@pytest.mark.peer("tshark")
def test_wireshark_reads_the_sound(seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "call.pcap"
    done = seen.switch.cli("trace", seen.call, "--media", "--pcap", str(file))
    found = re.search(r"(\d+) packets", done.stdout)
    assert found, done
    assert int(found[1]) >= 2 * PACKETS  # and reports of ours, if the call took long
    command = ["tshark", "-r", str(file), "-o", "udp.check_checksum:TRUE", "-d", "udp.port==1-65535,rtp"]
    command += ["-Y", "rtp", "-T", "fields", "-e", "rtp.seq", "-e", "udp.srcport", "-e", "udp.dstport"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    rows = [line.split("\t") for line in shown.stdout.splitlines()]
    assert [row[0] for row in rows if row[1] == "40000"] == [str(seq) for seq in range(PACKETS)]
    assert [row[0] for row in rows if row[2] == "40002"] == [str(seq) for seq in range(PACKETS)]


def test_sound_goes_to_a_file(seen: Seen) -> None:
    done = seen.switch.cli("trace", seen.call, "--media")
    assert done.returncode != 0
    assert "--media: goes with --pcap FILE" in done.stderr


def test_the_collector_puts_the_legs_together_by_the_calls_id(seen: Seen) -> None:
    of_call = [one for one in seen.captured if any(i.encode() in one[METHOD] for i in seen.call_ids)]
    told = json.loads(seen.switch.cli("trace", seen.call, "--json").stdout)
    assert len(of_call) == len(told)
    first = of_call[0]  # it came before anybody knew that it makes a call
    late = {one[CORRELATION].decode() for one in of_call if b"BYE" in one[METHOD] or b"CANCEL" in one[METHOD]}
    assert late == {seen.call}
    assert first[METHOD].startswith(b"INVITE")


def test_one_id_in_the_log_the_records_and_the_list(seen: Seen) -> None:
    switch = seen.switch
    assert [row["id"] for row in switch.records()] == [seen.call]
    assert [row["id"] for row in switch.record_lines()] == [seen.call]
    lines = [line for line in switch.said(1_000_000).splitlines() if line.startswith("20")]
    of_calls = [line for line in lines if " call." in line or " media." in line]
    assert of_calls
    assert all(f"call={seen.call}" in line for line in of_calls), of_calls
    messages = [line for line in lines if "sip.message" in line and any(one in line for one in seen.call_ids)]
    linked = [line for line in messages if f"call={seen.call}" in line]
    legs = {one for one in seen.call_ids if any(one in line for line in linked)}
    assert legs == seen.call_ids
    assert all(seen.call in line for line in messages if "BYE" in line or "CANCEL" in line)
    shown = switch.cli("record", seen.call).stdout
    assert seen.call in shown
    assert "user 1002 answered" in shown
