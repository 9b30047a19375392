"""What does a call cost the whole switch, but for the kernel? All layers in memory, six calls interleaved.

    python bench/sip_switch.py                    microseconds of the loop's thread for a call
    python bench/sip_switch.py --register         the same of a registration with its challenge
    python bench/sip_switch.py --profile 60       60 functions that take most, and how often they are called

A real switch (see servers.py) with its limits, records, trace and media ports, but its UDP socket is a list:
each batch has one message of each of six calls, as one wake-up brings it under load. Only the time inside is
counted, as CPU time of the thread. The least of the rounds is told beside the median: neighbours only add.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import re
import tempfile
from pathlib import Path
from statistics import median

import report
from phones_in_memory import Line, Registrants
from servers import CALLEE, CALLER, SERVER, Setup, switch_toml

from switchroom.switch import Switch, load
from switchroom.switch.ops import process
from switchroom.switch.ops.log import configure

SDP = (
    "v=0\r\no=load {0} {0} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 9000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)
OFFER, ANSWER = SDP.format(7), SDP.format(8)
REQUEST = f"""\
{{method}} {{uri}} SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:{CALLER};rport;branch=z9hG4bK-{{number}}-{{method}}\r
Max-Forwards: 70\r
From: "Load" <sip:load@127.0.0.1:{CALLER}>;tag=c{{number}}\r
To: {{to}}\r
Call-ID: {{number}}-load@127.0.0.1\r
CSeq: {{cseq}} {{method}}\r
Contact: <sip:load@127.0.0.1:{CALLER}>\r
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r
Supported: replaces\r
"""
CALLED = f"sip:700@127.0.0.1:{SERVER}"
COPIED = (b"Via", b"From", b"To", b"Call-ID", b"CSeq")
CONTACT = f"Contact: <sip:load@127.0.0.1:{CALLEE}>\r\n"


class Phones:
    """The caller and the callee of all calls; each pass begins one call and moves five others on."""

    per_pass = 1

    def __init__(self, line: Line) -> None:
        self.line = line
        self.caller = line.flow_from(None, ("127.0.0.1", CALLER))
        self.callee = line.flow_from(None, ("127.0.0.1", CALLEE))
        self.heads: dict[int, str] = {}  # of the responses to the switch's latest request in a call
        self.dialogs: dict[int, tuple[str, str]] = {}  # To and Contact of its 200
        self.number = 0

    def go_on(self) -> None:
        """One batch."""
        number = self.number = self.number + 1
        batch = [(request("INVITE", number, 1, f"<{CALLED}>", CALLED, OFFER), self.caller)]
        if number > 1:
            batch.append((self.response(number - 1, "180 Ringing"), self.callee))
        if number > 2:
            batch.append((self.response(number - 2, "200 OK", ANSWER), self.callee))
        if number > 3:
            batch.append((request("ACK", number - 3, 1, *self.dialogs[number - 3]), self.caller))
        if number > 4:
            batch.append((request("BYE", number - 4, 2, *self.dialogs.pop(number - 4)), self.caller))
        if number > 5:
            batch.append((self.response(number - 5, "200 OK"), self.callee))
            del self.heads[number - 5]
        self._look(number, self.line.send(batch))

    def _look(self, number: int, sent: list[bytes]) -> None:
        for data in sent:
            if data.startswith(b"INVITE "):
                self.heads[number] = head_of(data, f";tag=d{number}")
            elif data.startswith(b"BYE "):
                self.heads[number - 4] = head_of(data)
            elif data.startswith(b"SIP/2.0 200") and b"CSeq: 1 INVITE" in data:
                self.dialogs[number - 2] = value(data, b"To"), value(data, b"Contact").strip("<>")

    def response(self, number: int, status: str, body: str = "") -> bytes:
        """What the callee answers."""
        return f"SIP/2.0 {status}\r\n{self.heads[number]}{CONTACT}{tail(body)}".encode()


def request(method: str, number: int, cseq: int, to: str, uri: str, body: str = "") -> bytes:
    """What the caller sends."""
    head = REQUEST.format(method=method, number=number, cseq=cseq, to=to, uri=uri)
    return f"{head}{tail(body)}".encode()


def tail(body: str) -> str:
    """What follows the other headers."""
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"


def value(data: bytes, name: bytes) -> str:
    """A header's value."""
    found = re.search(rb"\r\n%s: ([^\r]*)" % name, data)
    assert found is not None, data
    return found[1].decode()


def head_of(data: bytes, tag: str = "") -> str:
    """The headers that a response repeats."""
    return "".join(
        f"{name.decode()}: {value(data, name)}{tag if name == b'To' else ''}\r\n" for name in COPIED
    )


async def measure(folder: Path, options: argparse.Namespace) -> tuple[list[float], cProfile.Profile | None]:
    """Microseconds a call in each round."""
    setup = Setup(users=options.users, has_auth=options.register)
    (folder / "switchroom.toml").write_text(switch_toml(folder, setup))
    config = load(folder / "switchroom.toml")
    logs = configure(config.log)
    profile = cProfile.Profile() if options.profile else None
    process.prepare()
    found = []
    async with Switch(config) as switch:
        switch.watchdog.stop()  # it would take our rounds for a loop that lags
        process.settle()
        line = Line(switch)
        phones = Registrants(line, options.users) if options.register else Phones(line)
        for number in range(options.rounds + 1):
            line.seconds = 0.0
            for _ in range(options.calls // phones.per_pass):
                phones.go_on()
                await asyncio.sleep(0)
            if number:
                found.append(1e6 * line.seconds / options.calls)
            else:  # that was to warm up
                line.profile = profile
            await asyncio.sleep(0.05)
    logs.close()
    return found, profile


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=300, help="in each round")
    parser.add_argument("--register", action="store_true", help="registrations instead of calls")
    parser.add_argument("--users", type=int, default=1000, help="phones that register in turn")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--profile", type=int, default=0, metavar="N", help="print N functions instead")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sip_switch.") as name,
        asyncio.Runner(loop_factory=process.loop_factory()) as runner,
    ):
        found, profile = runner.run(measure(Path(name), options))
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(options.profile)
        return
    what = "registration" if options.register else "call"
    rows = [{"what": what, "least_us": round(min(found), 1), "median_us": round(median(found), 1)}]
    report.show(f"A {what} through the whole switch, without the kernel", rows)
    name = "sip_switch_register" if options.register else "sip_switch"
    report.save(name, rows, {"calls": options.calls, "rounds": options.rounds})


if __name__ == "__main__":
    main()
