"""The ring, the search in it, and what is drawn and written of it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from switchroom.protocols import hep, pcap
from switchroom.protocols.sip import Flow
from switchroom.switch.config import TraceConfig
from switchroom.switch.net import Clock
from switchroom.switch.ops.cli import main
from switchroom.switch.ops.control import ControlServer
from switchroom.switch.ops.trace import Entry, Ring, Trace, find
from switchroom.switch.ops.trace.ladder import Ladder, describe

PHONE = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.10", 5062))
CARRIER = Flow("TCP", ("192.0.2.1", 5060), ("198.51.100.20", 5060))
RECORD = "01980000-1111-7222-8333-444455556666"
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def request(
    method: str, call_id: str, caller: str = "1001", called: str = "1002", body: str = "", extra: str = ""
) -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"{method} sip:{called}@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK1\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{caller}@example.com>;tag=1\r\nTo: <sip:{called}@example.com>\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 {method}\r\n{extra}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def response(status: str, call_id: str, caller: str = "1001", called: str = "1002", body: str = "") -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK1\r\n"
        f"From: <sip:{caller}@example.com>;tag=1\r\nTo: <sip:{called}@example.com>;tag=2\r\n"
        f"i: {call_id}\r\nCSeq: 1 INVITE\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


PROOF = 'Authorization: Digest username="1001", realm="r", nonce="n", response="0123456789abcdef"\r\n'
TALK = [
    ("in", request("REGISTER", "reg@x", "1001", "1001", extra=PROOF), PHONE),
    ("in", request("INVITE", "a@x", called="+491234", body=SDP), PHONE),
    ("out", response("100 Trying", "a@x"), PHONE),
    ("out", request("INVITE", "b@x", caller="+4955", called="+491234", body=SDP), CARRIER),
    ("in", response("180 Ringing", "b@x", called="+491234"), CARRIER),
    ("out", response("180 Ringing", "a@x"), PHONE),
    ("in", request("OPTIONS", "other@x", "9", "9"), CARRIER),
    ("in", response("200 OK", "b@x", called="+491234", body=SDP + "a=sendonly\r\n"), CARRIER),
    ("out", response("200 OK", "a@x", body=SDP + "a=sendonly\r\n"), PHONE),
    ("in", request("BYE", "a@x"), PHONE),
]


def tell(trace: Trace, direction: str, data: bytes, flow: Flow) -> None:
    """A message came or left."""
    assert trace.tap is not None
    if direction == "in":
        trace.tap.came(data, flow, time.monotonic())
    else:
        trace.tap.left([(data, flow)], time.monotonic())


def filled(**keys: object) -> Trace:
    trace = Trace(TraceConfig(**keys), Clock())
    for direction, data, flow in TALK:
        tell(trace, direction, data, flow)
    trace.link("a@x", RECORD)
    trace.link("b@x", RECORD)
    return trace


@pytest.mark.parametrize("what", [RECORD, RECORD[:9], "a@x", "b@x", "+491234", "491234", "+4955"])
async def test_all_legs_of_a_call_are_found(what: str) -> None:
    found = await filled().messages(what)
    assert len(found) == 8
    assert {message["call_id"] for message in found} == {"a@x", "b@x"}
    assert {message["call"] for message in found} == {RECORD}


async def test_what_never_became_a_call_is_found_too() -> None:
    trace = filled()
    assert [m["call_id"] for m in await trace.messages("9")] == ["other@x"]
    registered = [m for m in await trace.messages("1001") if m["call_id"] == "reg@x"]
    assert len(registered) == 1
    assert registered[0]["call"] == ""
    assert await trace.messages("77") == []
    assert await trace.messages("0198") == []  # too short for an id: it could be a number


async def test_no_proof_leaves() -> None:
    shown = json.dumps(await filled().messages("1001"))
    assert "0123456789abcdef" not in shown
    assert "1001" in shown


async def test_only_what_came_after() -> None:
    trace = filled()
    everything = await trace.messages("a@x")
    rest = await trace.messages("a@x", since=float(str(everything[4]["at"])))
    assert [m["at"] for m in rest] == [m["at"] for m in everything[5:]]


def test_bounds() -> None:
    ring = Ring(100, 1 << 20)
    for i in range(250):
        ring.came(b"x" * 100, PHONE, float(i))
        ring.link(f"{i}", RECORD)
    assert len(ring) == 100
    assert len(ring.records) == 100
    assert ring.octets == 100 * 196
    assert ring.forgotten == 150
    ring.resize(1000, 65536)
    for _ in range(10):
        ring.came(b"x" * 30000, PHONE, 250.0)
    assert ring.octets <= 65536
    assert len(ring) == 2
    ring.resize(0, 65536)
    assert len(ring) == ring.octets == 0


def test_off_costs_nothing_and_keeps_nothing() -> None:
    trace = Trace(TraceConfig(enabled=False), Clock())
    assert trace.tap is None
    shown: list[str] = []
    trace.show(lambda direction, data, flow: shown.append(direction))
    tell(trace, "in", b"x", PHONE)
    assert shown == ["in"]
    assert len(trace.ring) == 0
    trace.show(None)
    trace.apply(TraceConfig())
    assert trace.tap is trace.ring


def test_a_message_costs_hardly_anything() -> None:
    ring, data = Ring(20_000, 32 << 20), TALK[1][1]
    best = min(_timed(ring, data) for _ in range(5))
    assert best < 2e-6, f"{best * 1e9:.0f} ns"


def _timed(ring: Ring, data: bytes) -> float:
    messages = [(data, PHONE)] * 5
    began = time.perf_counter()
    for _ in range(10_000):
        ring.left(messages, began)
    return (time.perf_counter() - began) / 50_000


def test_what_is_kept_are_the_latest_in_order() -> None:
    ring = Ring(10, 1 << 20)
    for i in range(1000):
        at = 9.0 + (i // 2 if i % 10 else i // 2 - 1)  # a pass inside of another one ends first
        if i % 3:
            ring.came(b"%d" % i, PHONE, at)
        else:
            ring.left([(b"%d" % i, CARRIER)], at)
        kept = ring.entries()
        assert [entry.data for entry in kept] == [b"%d" % n for n in range(max(0, i - 9), i + 1)]
        assert [entry.flow for entry in kept] == [
            PHONE if n % 3 else CARRIER for n in range(max(0, i - 9), i + 1)
        ]
        assert [entry.at for entry in kept] == sorted(entry.at for entry in kept)
        assert ring.octets == sum(len(entry.data) + 96 for entry in kept)
        for since in {entry.at for entry in kept}:
            assert ring.entries(since) == [entry for entry in kept if entry.at > since]


def test_finding_in_a_full_ring_is_quick() -> None:
    entries = [
        Entry(float(i), "in", request("INVITE", f"{i}@x", called=str(i)), PHONE) for i in range(20_000)
    ]
    began = time.perf_counter()
    assert len(find(entries, {}, "777")) == 1
    assert time.perf_counter() - began < 2.0


async def test_ladder() -> None:
    lines = list(Ladder(100).draw(await filled().messages(RECORD)))
    assert lines[0] == "A = udp:192.0.2.10:5062"
    assert lines[1] == "B = tcp:198.51.100.20:5060"
    assert lines[2].split() == ["A", "switch", "B"]
    rungs = [line[14:] for line in lines[3:]]
    at = lines[2].index("switch") - 14
    assert [("INVITE SDP" in rungs[0], rungs[0][at - 1])] == [(True, ">")]
    assert rungs[1][:2] == "|<"
    assert rungs[2][at + 1] == "-"
    assert rungs[2].rstrip().endswith(">|")
    assert rungs[3][at + 1] == "<"
    assert "200 OK (INVITE) SDP sendonly" in rungs[5]
    assert len(rungs) == 8
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize("width", [20, 50, 60, 80, 300])
async def test_ladder_on_any_terminal(width: int) -> None:
    lines = list(Ladder(width).draw(await filled().messages(RECORD)))
    assert any("INVITE" in line for line in lines)
    if width >= 60:
        assert all(len(line) <= width for line in lines)


async def test_a_new_place_gets_a_column() -> None:
    messages = await filled().messages(RECORD)
    ladder = Ladder(100)
    assert list(ladder.draw(messages[:2]))[1].split() == ["A", "switch"]
    assert list(ladder.draw([])) == []
    more = list(ladder.draw(messages[2:]))
    assert more[3].split() == ["A", "switch", "B"]


def test_what_is_no_message_and_what_would_command_the_terminal() -> None:
    assert describe("rubbish \x1b[2J\r\nx") == "rubbish ·[2J"
    assert "\x1b" not in describe(request("INVITE", "a").decode().replace("INVITE", "IN\x1bVITE"))


@pytest.mark.peer("tshark")
async def test_pcap_is_read_by_wireshark(tmp_path: Path) -> None:
    v6 = Flow("TLS", ("2001:db8::1", 5061), ("2001:db8::2", 40000))
    trace = filled()
    tell(trace, "in", request("INVITE", "six@x", called="666"), v6)
    path = tmp_path / "call.pcap"
    with path.open("wb") as file:
        file.write(pcap.HEADER)
        for entry in trace.ring.entries():
            local, remote = entry.flow.local, entry.flow.remote
            source, destination = (local, remote) if entry.direction == "out" else (remote, local)
            file.write(pcap.packet(1_800_000_000.25 + entry.at % 1, source, destination, entry.data))
    options = ("ip.check_checksum:TRUE", "udp.check_checksum:TRUE")
    fields = ("sip.Call-ID", "ip.src", "ipv6.src", "udp.checksum.status", "frame.time_epoch")
    command = ["tshark", "-r", str(path), "-d", "udp.port==5061,sip", "-T", "fields"]
    command += [word for option in options for word in ("-o", option)]
    command += [word for field in fields for word in ("-e", field)]
    seen = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    rows = [line.split("\t") for line in seen.stdout.splitlines()]
    assert len(rows) == len(TALK) + 1
    assert rows[1][0] == "a@x"
    assert rows[1][1] == "192.0.2.10"
    assert rows[-1][0] == "six@x"
    assert rows[-1][2] == "2001:db8::2"
    assert {row[3] for row in rows} == {"1"}  # good
    assert rows[0][4].startswith("180000000")


def test_pcap_of_odd_addresses_and_sizes() -> None:
    for source, destination in ((("fe80::1%eth0", 1), ("192.0.2.1", 2)), (("nowhere", 1), ("192.0.2.1", 2))):
        octets = pcap.packet(1.0, source, destination, b"x" * 100_000)
        assert struct.unpack_from("<I", octets, 8)[0] == len(octets) - 16


def decode_hep(packet: bytes) -> dict[int, bytes]:
    """A decoder of its own, from the HEP3 specification."""
    assert packet[:4] == b"HEP3"
    assert int.from_bytes(packet[4:6], "big") == len(packet)
    chunks, at = {}, 6
    while at < len(packet):
        vendor, kind, length = struct.unpack_from("!HHH", packet, at)
        assert vendor == 0
        assert length >= 6
        chunks[kind] = packet[at + 6 : at + length]
        at += length
    assert at == len(packet)
    return chunks


def test_hep_says_who_when_and_what() -> None:
    capture = hep.Capture(
        1_800_000_000.25, "UDP", ("192.0.2.10", 5062), ("192.0.2.1", 5060), b"INVITE", "call-1"
    )
    found = decode_hep(hep.encode(capture, 2001, "secret"))
    assert found[1] == b"\x02"
    assert found[2] == b"\x11"
    assert found[3] == socket.inet_aton("192.0.2.10")
    assert found[4] == socket.inet_aton("192.0.2.1")
    assert (found[7], found[8]) == ((5062).to_bytes(2, "big"), (5060).to_bytes(2, "big"))
    assert struct.unpack("!I", found[9]) == (1_800_000_000,)
    assert struct.unpack("!I", found[10]) == (250_000,)
    assert found[11] == b"\x01"
    assert struct.unpack("!I", found[12]) == (2001,)
    assert (found[14], found[15], found[17]) == (b"secret", b"INVITE", b"call-1")
    six = hep.Capture(1.0, "TLS", ("2001:db8::1", 1), ("2001:db8::2", 2), b"x" * 100_000)
    found = decode_hep(hep.encode(six, 1))
    assert (found[1], found[2], found[5]) == (
        b"\x0a",
        b"\x06",
        socket.inet_pton(socket.AF_INET6, "2001:db8::1"),
    )
    assert 14 not in found
    assert len(found[15]) == 65000


def test_hep_goes_to_the_collector_masked_and_a_dead_one_hurts_nobody() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(2)
        port = collector.getsockname()[1]
        trace = filled(hep_address=f"127.0.0.1:{port}", hep_password="x")
        assert trace.exporter is not None
        packets = [decode_hep(collector.recv(65536)) for _ in TALK]
        assert trace.exporter.sent == len(TALK)
        assert b"0123456789abcdef" not in packets[0][15]
        assert packets[1][17] == b"a@x"  # the call has no record yet
        tell(trace, "in", TALK[-1][1], PHONE)
        assert decode_hep(collector.recv(65536))[17] == RECORD.encode()
    began = time.perf_counter()
    for _ in range(200):
        tell(trace, "in", TALK[1][1], PHONE)  # nobody listens any more
    assert time.perf_counter() - began < 1.0
    trace.close()


async def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = filled()
    config = tmp_path / "switchroom.toml"
    config.write_text("")
    server = ControlServer(
        tmp_path / "state" / "control.sock", {"trace": lambda what="", since=0.0: trace.messages(what, since)}
    )
    await server.start()
    try:
        await _run(["trace", "+491234", "-c", str(config)])
        assert "INVITE SDP" in capsys.readouterr().out
        await _run(["trace", RECORD, "-c", str(config), "--text"])
        assert "  BYE sip:1002@example.com SIP/2.0" in capsys.readouterr().out
        await _run(["trace", RECORD, "-c", str(config), "--pcap", str(tmp_path / "x.pcap")])
        assert "8 messages" in capsys.readouterr().out
        assert (tmp_path / "x.pcap").stat().st_size > 2000
        await _run(["trace", RECORD, "-c", str(config), "--json"])
        assert len(json.loads(capsys.readouterr().out)) == 8
        await _run(["trace", "nobody", "-c", str(config)])
        assert "No message of nobody" in capsys.readouterr().out
    finally:
        await server.stop()


async def _run(arguments: list[str]) -> None:
    def run() -> None:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0

    await asyncio.to_thread(run)


async def test_following(tmp_path: Path) -> None:
    trace = filled()
    config = tmp_path / "switchroom.toml"
    config.write_text("")
    server = ControlServer(
        tmp_path / "state" / "control.sock", {"trace": lambda what="", since=0.0: trace.messages(what, since)}
    )
    await server.start()
    command = [".venv/bin/switchroom", "trace", "a@x", "-f", "-c", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            for _ in range(11):
                await process.stdout.readline()
            tell(trace, "out", response("481 Gone", "a@x"), PHONE)
            line = await process.stdout.readline()
        assert b"481" in line
    finally:
        process.kill()
        await process.wait()
        await server.stop()
