"""Two baresip telephones register with digest and talk through the switch: each hears the other's tone."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from switchroom.switch.ops.cli.certificate import make_certificate

from .baresip import Baresip, share_of_tone
from .harness import Switch, users, wait_until
from .ports import free_port

pytestmark = pytest.mark.peer("baresip")

LOW, HIGH = 440.0, 1000.0
ALICE, BOB = "1001", "1002"


class Pair:
    """A switch and two telephones, one with a low and one with a high tone."""

    def __init__(self, folder: Path, transport: str, **tables: object) -> None:
        self.switch = Switch(folder / "switch", users=users([ALICE, BOB]), **tables)
        self.server = self.switch.address
        if transport == "tls":
            self.server = ("127.0.0.1", free_port())
            certificate = folder / "switch.pem"
            certificate.write_bytes(make_certificate(["127.0.0.1"]))
            self.switch.config["sip"]["listen"].append(f"tls:127.0.0.1:{self.server[1]}")
            self.switch.config["tls"] = {"certificate": str(certificate)}
        self.folder, self.transport = folder, transport
        self.alice, self.bob = self._phone(ALICE, LOW), self._phone(BOB, HIGH)

    def _phone(self, name: str, tone: float) -> Baresip:
        password = next(u["password"] for u in self.switch.config["users"] if u["name"] == name)
        return Baresip(self.folder / name, name, password, self.server, tone=tone, transport=self.transport)

    def start(self) -> Pair:
        self.switch.start()
        for phone in (self.alice, self.bob):
            phone.start()
        for phone in (self.alice, self.bob):
            phone.wait_registered()
        return self

    def talk(self) -> None:
        """Alice calls Bob, who answers by himself; both hear each other."""
        self.alice.dial(BOB)
        for phone in (self.alice, self.bob):
            phone.wait_for("CALL_ESTABLISHED")
        self.alice.wait_to_hear(HIGH)
        self.bob.wait_to_hear(LOW)

    def stop(self) -> None:
        for phone in (self.alice, self.bob):
            phone.stop()
        self.switch.stop()


MakePair = Callable[..., Pair]


@pytest.fixture
def make_pair(tmp_path: Path) -> Iterator[MakePair]:
    made: list[Pair] = []

    def make(transport: str = "udp", **tables: object) -> Pair:
        made.append(Pair(tmp_path, transport, **tables))
        return made[-1].start()

    yield make
    for pair in made:
        pair.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize("hangs_up", ["caller", "callee"])
def test_two_telephones_talk(make_pair: MakePair, transport: str, hangs_up: str) -> None:
    pair = make_pair(transport)
    found = {r["user"]: r for r in pair.switch.registrations()}
    assert set(found) == {ALICE, BOB}
    pair.talk()
    (call,) = pair.switch.calls()
    first, last = (pair.alice, pair.bob) if hangs_up == "caller" else (pair.bob, pair.alice)
    first.hang_up()
    last.wait_for("CALL_CLOSED")

    for phone, tone, other in ((pair.alice, HIGH, LOW), (pair.bob, LOW, HIGH)):
        samples, rate = phone.heard()
        assert share_of_tone(samples[-rate:], rate, tone) > 0.9
        assert share_of_tone(samples[-rate:], rate, other) < 0.01

    row = pair.switch.wait_record()
    assert (row["id"], row["from_user"], row["to_user"]) == (call["id"], ALICE, BOB)
    assert (row["cause"], row["ended_by"]) == (200, hangs_up)
    assert row["call_id_a"] != row["call_id_b"]
    assert "PCMU" in row["codecs"]
    assert row["setup_at"] <= row["answer_at"] < row["end_at"]
    assert 0.9 < row["duration"] < 10
    for leg in "ab":
        assert row[f"{leg}_packets"] > 45  # a second of 20 ms packets, and more
        assert row[f"{leg}_size"] >= row[f"{leg}_packets"] * 160
        assert row[f"{leg}_lost"] <= row[f"{leg}_packets"] * 0.02
    (line,) = wait_until(pair.switch.record_lines, 3, "a line of JSON")
    assert (line["id"], line["cause"], line["ended_by"]) == (row["id"], 200, hangs_up)
    pair.switch.wait_idle(40)


def test_interrupt_ends_calls_and_keeps_registrations(make_pair: MakePair) -> None:
    """Ctrl-C with a call up: BYE to both; after a restart the phones can be called, not registered again."""
    pair = make_pair()
    pair.talk()
    assert pair.switch.end(signal.SIGINT) == 0
    for phone in (pair.alice, pair.bob):
        phone.wait_for("CALL_CLOSED")
        assert "BYE sip:" in phone.log.read_text(errors="replace")
    (row,) = pair.switch.records()
    assert row["ended_by"] == "switch"
    assert row["end_at"]
    assert not pair.switch.live_records()
    assert [json_line["id"] for json_line in pair.switch.record_lines()] == [row["id"]]

    registered = pair.bob.log.read_text(errors="replace").count("REGISTER sip:")
    pair.switch.start()
    assert {r["user"] for r in pair.switch.registrations()} == {ALICE, BOB}
    seen, heard = len(pair.alice.events), len(pair.alice.heard()[0])
    pair.alice.dial(BOB)
    pair.alice.wait_for("CALL_ESTABLISHED", since=seen)
    pair.alice.wait_to_hear(HIGH, after=heard)
    assert pair.bob.log.read_text(errors="replace").count("REGISTER sip:") == registered
    pair.alice.hang_up()
    assert pair.switch.wait_record(lambda r: r["id"] != row["id"])["cause"] == 200


def test_hold_and_resume(make_pair: MakePair) -> None:
    """While the caller holds, the relay stands still; after resume packets reach both ears again.

    Packets, not tones: baresip 1.0.0 does not go on recording after a hold.
    """
    pair = make_pair()
    pair.talk()

    def relayed() -> float:
        return pair.switch.metric("switchroom_relay_packets_total")

    pair.alice.command("hold")
    pair.bob.wait_log("a=sendonly")
    pair.alice.wait_log("a=recvonly")
    held = relayed()
    assert pair.alice.hears_event("CALL_CLOSED", 0.6) is False
    assert relayed() - held <= 4  # a second of both would be 100; RTCP and the last of the sound may pass
    pair.alice.command("resume")
    pair.bob.wait_log("a=sendrecv", after="a=sendonly")
    wait_until(lambda: relayed() > held + 100, 5, "sound after the hold")
    pair.alice.hang_up()
    pair.bob.wait_for("CALL_CLOSED")
    row = pair.switch.wait_record()
    assert (row["cause"], row["ended_by"]) == (200, "caller")
    for phone in (pair.alice, pair.bob):
        assert phone.received_packets() >= 95  # more than there were before the hold


def test_a_registration_that_the_phone_ends(make_pair: MakePair) -> None:
    """baresip unregisters when it quits: its binding goes, the other's stays."""
    pair = make_pair()
    pair.bob.stop()
    wait_until(lambda: [r["user"] for r in pair.switch.registrations()] == [ALICE], 5, "the binding to go")


def test_a_wrong_password_does_not_register(tmp_path: Path) -> None:
    with Switch(tmp_path / "switch", users=users([ALICE])) as switch:
        phone = Baresip(tmp_path / "phone", ALICE, "wrong", switch.address, tone=LOW)
        try:
            phone.start()
            wait_until(
                lambda: phone.log.read_text(errors="replace").count("REGISTER sip:") >= 2,
                5,
                "a second attempt",
            )
            assert switch.registrations() == []
        finally:
            phone.stop()


def test_hangup_on_silence(make_pair: MakePair) -> None:
    """Both telephones die in the call (kill -9): the media timeout ends it and closes its record."""
    pair = make_pair(media={"rtp_timeout": 2, "first_rtp_timeout": 2})
    pair.talk()
    for phone in (pair.alice, pair.bob):
        assert phone.process is not None
        phone.process.kill()
    assert pair.switch.wait_record(timeout=2 + 5)["ended_by"] == "switch"
