"""Session descriptions as phones write them."""

from __future__ import annotations


def sdp(*lines: str) -> bytes:
    """Lines to a body."""
    return "".join(f"{line}\r\n" for line in lines).encode()


HEAD = ("v=0", "o=alice 2890844526 2890844527 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0")

AUDIO = sdp(
    *HEAD,
    "m=audio 49170 RTP/AVP 0 8 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
    "a=ptime:20",
    "a=sendrecv",
)

EVERYTHING = sdp(  # every kind of line, in the order of RFC 8866 §9
    "v=0",
    "o=jdoe 3724394400 3724394405 IN IP6 2001:db8::1",
    "s=Call to John Smith ü",
    "i=SDP Offer #1",
    "u=http://www.jdoe.example.com/home.html",
    "e=Jane Doe <jane@jdoe.example.com>",
    "p=+1 617 555-6011",
    "c=IN IP6 2001:db8::1",
    "b=CT:512",
    "t=3724394400 3724398000",
    "r=604800 3600 0 90000",
    "z=2882844526 -1h 2898848070 0",
    "k=clear:secret",
    "a=recvonly",
    "a=group:BUNDLE 1 2",
    "x=unknown line",
    "m=audio 49180/2 RTP/AVP 0 96",
    "i=the voice",
    "c=IN IP4 198.51.100.1",
    "b=AS:64",
    "b=TIAS:64000",
    "k=prompt",
    "a=rtpmap:96 L16/44100/2",
    "a=rtcp:53020 IN IP4 198.51.100.2",
    "a=rtcp-mux",
    "a=x-made-up:with: colons ; and = signs",
    "y=another",
    "m=video 0 RTP/SAVPF 99",
    "a=inactive",
    "m=image 5000 udptl t38",
    "a=T38FaxVersion:0",
)
