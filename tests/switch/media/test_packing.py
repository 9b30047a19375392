"""G.726 under the name of the other order of its bits: `g726 = "aal2"` of who does that."""

from __future__ import annotations

from switchroom.switch.media.packing import swapped

SAID = (
    b"v=0\r\nm=audio 4000 RTP/AVP 96 97 98 0\r\na=rtpmap:96 G726-32/8000\r\n"
    b"a=rtpmap:97 AAL2-G726-16/8000/1\r\na=rtpmap:98 G726-48/8000\r\na=x:G726-32/8000\r\n"
)


def test_each_order_gets_the_others_name_and_back() -> None:
    other = swapped(SAID)
    assert b"a=rtpmap:96 AAL2-G726-32/8000\r\n" in other
    assert b"a=rtpmap:97 G726-16/8000/1\r\n" in other
    assert other.count(b"AAL2-") == 1
    assert swapped(other) == SAID


def test_nothing_else_is_touched() -> None:
    plain = b"v=0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    assert swapped(plain) == plain
