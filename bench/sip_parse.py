"""How long does a SIP message take: to parse, to ask, to answer, to build? The compiled and the plain twin.

python bench/sip_parse.py [--seconds 0.5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import timeit
from collections.abc import Callable
from typing import Any

import report

TWINS = ("compiled", "plain")
TARGETS = {"parse": 1.0, "answer": 3.0, "build with 12 headers": 4.0}  # µs, of the compiled twin

SDP = (
    b"v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.101\r\ns=-\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\n"
    b"m=audio 49172 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n"
)
HEADERS = [
    ("Via", "SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;rport"),
    ("Max-Forwards", "70"),
    ("Route", "<sip:ss1.atlanta.example.com;lr>"),
    ("From", '"Alice" <sip:alice@atlanta.example.com>;tag=9fxced76sl'),
    ("To", "Bob <sip:bob@biloxi.example.com>"),
    ("Call-ID", "3848276298220188511@atlanta.example.com"),
    ("CSeq", "2 INVITE"),
    ("Contact", "<sip:alice@client.atlanta.example.com:5060;transport=udp>"),
    ("Allow", "INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO"),
    ("Supported", "replaces, timer"),
    ("User-Agent", "ExamplePhone 4.2.1-build-20250131 (made long enough for one kilobyte in all of it)"),
    ("Content-Type", "application/sdp"),
]
MORE = [
    ("Session-Expires", "1800;refresher=uac"),
    ("Min-SE", "90"),
    ("Accept", "application/sdp, application/dtmf-relay"),
]
ACCESSORS = ("uri", "via", "from_", "to", "call_id", "cseq", "contacts", "routes", "max_forwards", "to_tag")


def measure(seconds: float) -> list[dict[str, Any]]:
    """The figures of whichever twin is in use here."""
    from switchroom.protocols import sip

    data = bytes(sip.Request("INVITE", "sip:bob@biloxi.example.com;transport=udp", HEADERS + MORE, SDP))
    asked = sip.parse(data)
    assert isinstance(asked, sip.Request)
    ok = [("Contact", "<sip:bob@192.0.2.4>"), ("Content-Type", "application/sdp")]

    def ask() -> None:
        message = sip.parse(data)
        for name in ACCESSORS:
            getattr(message, name)

    work: dict[str, Callable[[], object]] = {
        "parse": lambda: sip.parse(data),
        f"parse, ask {len(ACCESSORS)} typed values": ask,
        "parse, validate": lambda: sip.parse(data).validate(),
        "answer": lambda: bytes(asked.response(180, to_tag="8321234356")),
        "answer with headers and SDP": lambda: bytes(
            asked.response(200, to_tag="83212", headers=ok, body=SDP)
        ),
        f"build with {len(HEADERS)} headers": lambda: bytes(
            sip.Request("INVITE", "sip:bob@biloxi.example.com", HEADERS, SDP)
        ),
    }
    return [
        {"what": what, "octets": len(data), "microseconds": time(call, seconds)}
        for what, call in work.items()
    ]


def time(call: Callable[[], object], seconds: float) -> float:
    """Microseconds that one call takes: the best of five rounds."""
    timer = timeit.Timer(call)
    count, spent = timer.autorange()
    count = max(1, int(count * seconds / 5 / spent))
    return min(timer.repeat(repeat=5, number=count)) / count * 1e6


def run_twin(twin: str, seconds: float) -> list[dict[str, Any]]:
    """Measure in a process of its own: a twin is chosen when the package is imported."""
    command = [sys.executable, __file__, "--twin", twin, "--seconds", str(seconds)]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return [{"twin": twin, **row} for row in rows]


def main() -> None:
    """Measure both twins and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="how long to measure each row (default 0.5)"
    )
    parser.add_argument("--twin", choices=TWINS, help="measure this one only, print JSON")
    options = parser.parse_args()
    if options.twin:
        if options.twin == "plain":
            sys.modules["switchroom.protocols.sip._message"] = None  # type: ignore[assignment]
        json.dump(measure(options.seconds), sys.stdout)
        return
    rows = [row for twin in TWINS for row in run_twin(twin, options.seconds)]
    for row in rows:
        row["target"] = TARGETS.get(row["what"]) if row["twin"] == "compiled" else None
    report.show("SIP messages", rows)
    report.save("sip_parse", rows, {"seconds": options.seconds})
    report.plot(
        "sip_parse", rows, group="what", bar="twin", value="microseconds", title="A SIP message", log=True
    )


if __name__ == "__main__":
    main()
