"""Messages that several tests read."""

from __future__ import annotations

SDP = b"""v=0
o=alice 2890844526 2890844526 IN IP4 192.0.2.101
s=-
c=IN IP4 192.0.2.101
t=0 0
m=audio 49172 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=sendrecv
""".replace(b"\n", b"\r\n")

INVITE = (
    b"""INVITE sip:bob@biloxi.example.com;transport=udp SIP/2.0
Via: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;rport
Max-Forwards: 70
Route: <sip:ss1.atlanta.example.com;lr>
From: "Alice" <sip:alice@atlanta.example.com>;tag=9fxced76sl
To: Bob <sip:bob@biloxi.example.com>
Call-ID: 3848276298220188511@atlanta.example.com
CSeq: 2 INVITE
Contact: <sip:alice@client.atlanta.example.com:5060;transport=udp>
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO
Supported: replaces, timer
Session-Expires: 1800;refresher=uac
User-Agent: ExamplePhone 4.2.1-build-20250131 (made long enough for one kilobyte)
Accept: application/sdp, application/dtmf-relay
Organization: Example Ltd
Content-Type: application/sdp
Content-Length: 228

""".replace(b"\n", b"\r\n")
    + SDP
)


def request(*lines: str, method: str = "OPTIONS", body: bytes = b"", without: str = "") -> bytes:
    """A request of the six mandatory headers, some lines more and perhaps one header less."""
    mandatory = [
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc",
        "Max-Forwards: 70",
        "From: <sip:a@example.com>;tag=1",
        "To: <sip:b@example.com>",
        "Call-ID: x1@example.com",
        f"CSeq: 1 {method}",
    ]
    kept = [line for line in mandatory if not without or not line.startswith(f"{without}:")]
    text = "\r\n".join([f"{method} sip:b@example.com SIP/2.0", *kept, *lines, "", ""])
    return text.encode("utf-8", "surrogateescape") + body
