"""What does the SIP engine cost in one B2BUA call: 6 messages in, 7 out, parsed, dispatched, built, timed?

A bridge of ten lines sits on one Endpoint; a caller and a callee made of text templates talk to it.
Only the endpoint's and the bridge's time is counted. ``--profile`` prints where it goes instead.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
from statistics import median
from time import perf_counter

import report

from switchroom.protocols import sip

CALLER, CALLEE, LOCAL = ("192.0.2.10", 5062), ("192.0.2.20", 5064), ("192.0.2.1", 5060)
FROM_CALLER, FROM_CALLEE = sip.Flow("UDP", LOCAL, CALLER), sip.Flow("UDP", LOCAL, CALLEE)

SDP = """v=0\r
o=- 3870921921 3870921921 IN IP4 192.0.2.10\r
s=-\r
c=IN IP4 192.0.2.10\r
t=0 0\r
m=audio 40376 RTP/AVP 96 9 8 0 101\r
a=rtpmap:96 opus/48000/2\r
a=fmtp:96 useinbandfec=1\r
a=rtpmap:9 G722/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
a=rtcp:40377\r
a=sendrecv\r
a=ptime:20\r
"""
HEAD = """{method} {uri} SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK-{number}-{method};rport\r
Max-Forwards: 70\r
From: "Alice Example" <sip:1001@example.org>;tag=from{number}\r
To: <sip:1002@example.org>{to_tag}\r
Call-ID: call-{number}@192.0.2.10\r
CSeq: {cseq} {method}\r
Contact: <sip:1001@192.0.2.10:5062>\r
User-Agent: baresip v3.9.0 (x86_64/Linux)\r
Allow: INVITE,ACK,BYE,CANCEL,OPTIONS,NOTIFY,INFO,MESSAGE,UPDATE,REFER\r
Supported: gruu\r
"""
BATCHES = 20  # the median of them is told: a neighbour's load shows in some
STEPS = ("INVITE in", "180 in", "200 in", "ACK in", "BYE in", "200 (BYE) in", "timers")


class Bridge:
    """Swaps the events of two sessions."""

    def __init__(self, endpoint: sip.Endpoint) -> None:
        self.endpoint = endpoint

    def drain(self, now: float) -> None:
        """React to everything that the endpoint tells."""
        while (event := self.endpoint.next_event()) is not None:
            match event:
                case sip.RequestReceived():
                    self.forward(event, now)
                case sip.SessionProgressed(session, response):
                    session.context.ring(response.status, now, body=response.body)  # type: ignore[attr-defined]
                case sip.SessionAnswered(session, response):
                    session.context.answer(now, body=response.body)  # type: ignore[attr-defined]
                case sip.SessionAcknowledged(session, _):
                    session.context.acknowledge(now)  # type: ignore[attr-defined]
                case sip.SessionEnded(session, _, _):
                    other, session.context = session.context, None
                    other.bye(now)  # type: ignore[attr-defined]
                    other.context = None  # type: ignore[attr-defined]

    def forward(self, event: sip.RequestReceived, now: float) -> None:
        """Accept a call and make its other leg."""
        endpoint, request = self.endpoint, event.request
        a = endpoint.accept(event, now, contact="<sip:switch@192.0.2.1:5060>")
        invite = sip.Request(
            "INVITE",
            "sip:1002@192.0.2.20:5064",
            [
                ("Max-Forwards", sip.hops_left(request)),
                ("From", f"<sip:1001@example.org>;tag={endpoint.mint.tag()}"),
                ("To", "<sip:1002@example.org>"),
                ("Call-ID", endpoint.mint.call_id()),
                ("CSeq", "1 INVITE"),
                ("Contact", "<sip:switch@192.0.2.1:5060>"),
                ("Content-Type", "application/sdp"),
                ("User-Agent", "Switchroom"),
                ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, MESSAGE"),
                ("Supported", "timer"),
            ],
            request.body,
        )
        b = endpoint.invite(invite, FROM_CALLEE, now)
        a.context, b.context = b, a


class Bench:
    """Plays both phones and counts the switch's time."""

    def __init__(self, profile: cProfile.Profile | None = None) -> None:
        self.endpoint = sip.Endpoint(udp_request_limit=0)
        self.bridge = Bridge(self.endpoint)
        self.seconds = dict.fromkeys(STEPS, 0.0)
        self.profile = profile
        self.now = 1000.0

    def feed(self, step: str, message: str, flow: sip.Flow) -> list[bytes]:
        """Give the switch one datagram and take what it sends."""
        endpoint, now, data = self.endpoint, self.now, message.encode()
        if self.profile:
            self.profile.enable()
        start = perf_counter()
        endpoint.receive_datagram(data, flow, now)
        self.bridge.drain(now)
        sent = endpoint.datagrams_to_send()
        endpoint.next_timer()
        self.seconds[step] += perf_counter() - start
        if self.profile:
            self.profile.disable()
        return [data for data, _ in sent]

    def call(self, number: int) -> None:
        """One call from INVITE to the last 200; then the clock goes on by a millisecond."""
        _, invite = self.feed("INVITE in", caller("INVITE", number, 1, body=SDP), FROM_CALLER)
        (_,) = self.feed("180 in", callee(invite, "180 Ringing"), FROM_CALLEE)
        (answer,) = self.feed("200 in", callee(invite, "200 OK", SDP), FROM_CALLEE)
        to_tag = line(answer, "To").partition(";tag=")[2]
        (_,) = self.feed("ACK in", caller("ACK", number, 1, to_tag), FROM_CALLER)
        _, bye = self.feed("BYE in", caller("BYE", number, 2, to_tag), FROM_CALLER)
        self.feed("200 (BYE) in", callee(bye, "200 OK"), FROM_CALLEE)
        self.now += 0.001
        start = perf_counter()
        if (at := self.endpoint.next_timer()) is not None and at <= self.now:
            self.endpoint.handle_timer(self.now)
        self.seconds["timers"] += perf_counter() - start


def caller(method: str, number: int, cseq: int, to_tag: str = "", body: str = "") -> str:
    """A request of the calling phone."""
    uri = "sip:1002@example.org" if method == "INVITE" else "sip:switch@192.0.2.1:5060"
    tag = f";tag={to_tag}" if to_tag else ""
    head = HEAD.format(method=method, uri=uri, number=number, to_tag=tag, cseq=cseq)
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{head}{kind}Content-Length: {len(body)}\r\n\r\n{body}"


def callee(request: bytes, status: str, body: str = "") -> str:
    """A response of the called phone."""
    names = ("Via", "From", "To", "Call-ID", "CSeq")
    values = {name: line(request, name) for name in names}
    if ";tag=" not in values["To"]:
        values["To"] += ";tag=phone"
    head = "\r\n".join(f"{name}: {value}" for name, value in values.items())
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"SIP/2.0 {status}\r\n{head}\r\nContact: <sip:1002@192.0.2.20:5064>\r\n"
        f"User-Agent: baresip v3.9.0 (x86_64/Linux)\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    )


def line(data: bytes, name: str) -> str:
    """A header's value, found by its text."""
    return data.decode().split(f"\r\n{name}: ", 1)[1].split("\r\n", 1)[0]


def measure(bench: Bench, start: int, calls: int) -> dict[str, float]:
    """Microseconds of each step in one batch of calls."""
    bench.seconds = dict.fromkeys(STEPS, 0.0)
    for number in range(start, start + calls):
        bench.call(number)
    spent = {step: 1e6 * seconds / calls for step, seconds in bench.seconds.items()}
    return {**spent, "whole call": sum(spent.values())}


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args()
    profile = cProfile.Profile() if options.profile else None
    bench = Bench(profile)
    for number in range(1000):
        bench.call(-1 - number)
    gc.collect()
    gc.freeze()  # as the switch does after its start
    gc.set_threshold(50_000, 20, 100)
    batches = [
        measure(bench, start, options.calls // BATCHES)
        for start in range(0, options.calls, options.calls // BATCHES)
    ]
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    rows = [
        {"step": step, "us": round(median(batch[step] for batch in batches), 2)}
        for step in (*STEPS, "whole call")
    ]
    counters = bench.endpoint.counters
    report.show(f"SIP engine in a B2BUA call ({options.calls} calls, µs)", rows)
    meta = {"calls": options.calls, "parse_errors": counters.parse_errors, "strays": counters.strays}
    report.save("sip_engine", rows, meta)
    report.plot(
        "sip_engine",
        [{**row, "what": "engine"} for row in rows],
        group="step",
        bar="what",
        value="us",
        unit="µs",
    )


if __name__ == "__main__":
    main()
