"""Datagrams that break the rules of RTP and RTCP, each in its own way; THREATS A3."""

from __future__ import annotations

import struct

_HEAD = struct.pack("!HII", 1, 160, 0xABCD)  # behind the first two octets


def _rtp(first: int, second: int = 0, rest: bytes = b"") -> bytes:
    return bytes((first, second)) + _HEAD + rest


def _extension(words: int, body: bytes = b"") -> bytes:
    return struct.pack("!HH", 0xBEDE, words) + body


RTP: dict[str, bytes] = {
    "empty": b"",
    **{f"{size} octets": _rtp(0x80)[:size] for size in (1, 2, 3, 4, 8, 11)},
    **{f"version {version}": _rtp(version << 6, 0, bytes(160)) for version in (0, 1, 3)},
    **{f"{count} CSRC, {size} octets": _rtp(0x80 | count, 0, bytes(size)) for count, size in
       ((1, 0), (1, 3), (2, 4), (15, 0), (15, 59))},
    "extension without its header": _rtp(0x90),
    "extension header cut": _rtp(0x90, 0, b"\xbe\xde\x00"),
    "extension of 1 word, none there": _rtp(0x90, 0, _extension(1)),
    "extension of 1 word, 3 octets there": _rtp(0x90, 0, _extension(1, bytes(3))),
    "extension of 65535 words": _rtp(0x90, 0, _extension(65535, bytes(160))),
    "extension behind CSRCs, cut": _rtp(0x92, 0, bytes(8) + b"\xbe\xde"),
    "15 CSRC and an extension that ends late": _rtp(0x9F, 0, bytes(60) + _extension(2, bytes(4))),
    "padding of 0": _rtp(0xA0, 0, bytes(160)),
    "padding, nothing there": _rtp(0xA0),
    "padding longer than the payload": _rtp(0xA0, 0, bytes(9) + b"\x0b"),
    "padding of 255": _rtp(0xA0, 0, bytes(99) + b"\xff"),
    "padding into the extension": _rtp(0xB0, 0, _extension(1, bytes(4)) + b"\x02"),
    "padding into the CSRC": _rtp(0xA1, 0, bytes(4) + b"\x00\x03"),
    "all bits": b"\xff" * 64,
    "everything, nothing behind": _rtp(0xBF),
    **{f"RTCP {kind} as RTP": _rtp(0x80, kind, bytes(16)) for kind in (192, 200, 201, 203, 207, 223)},
    "larger than any path carries": _rtp(0x80, 0, bytes(2500)),
    "STUN binding request": b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
    "STUN with a false length": b"\x00\x01\xff\xff\x21\x12\xa4\x42" + bytes(12),
    "DTLS hello": b"\x16\xfe\xff" + bytes(60),
    "SIP": b"OPTIONS sip:x SIP/2.0\r\n\r\n",
}  # fmt: skip


def _rtcp(first: int, kind: int, words: int, rest: bytes = b"") -> bytes:
    return struct.pack("!BBH", first, kind, words) + rest


_RR = _rtcp(0x80, 201, 1, bytes(4))

RTCP: dict[str, bytes] = {
    "RTCP empty": b"",
    **{f"RTCP {size} octets": _RR[:size] for size in (1, 3, 4, 7)},
    **{f"RTCP version {version}": bytes((version << 6,)) + _RR[1:] for version in (0, 1, 3)},
    "RTCP type 191": _rtcp(0x80, 191, 1, bytes(4)),
    "RTCP type 0": _rtcp(0x80, 0, 1, bytes(4)),
    "RTCP longer than the datagram": _rtcp(0x80, 201, 2, bytes(4)),
    "RTCP of 65535 words": _rtcp(0x80, 201, 65535, bytes(4)),
    "RTCP shorter than the datagram": _rtcp(0x80, 201, 1, bytes(7)),
    "RTCP compound that ends in a stump": _RR + b"\x80\xca",
    "RTCP compound with a false second part": _RR + _rtcp(0x40, 202, 1, bytes(4)),
    "RTCP compound, second part too long": _RR + _rtcp(0x81, 202, 9, bytes(4)),
    "RTCP SR without sender information": _rtcp(0x80, 200, 1, bytes(4)),
    "RTCP SR with 31 blocks, none there": _rtcp(0x9F, 200, 6, bytes(24)),
    "RTCP RR with 1 block, none there": _rtcp(0x81, 201, 1, bytes(4)),
    "RTCP RR with 31 blocks, 30 there": _rtcp(0x9F, 201, 1 + 6 * 30, bytes(4 + 24 * 30)),
    "RTCP BYE of 31, one there": _rtcp(0x9F, 203, 1, bytes(4)),
    "RTCP SDES of 31, none there": _rtcp(0x9F, 202, 1, bytes(4)),
    "RTCP APP without a name": _rtcp(0x80, 204, 1, bytes(4)),
    "RTCP padding of 0": _rtcp(0xA0, 201, 2, bytes(8)),
    "RTCP padding of 3": _rtcp(0xA0, 201, 2, bytes(7) + b"\x03"),
    "RTCP padding longer than the part": _rtcp(0xA0, 201, 2, bytes(7) + b"\x0c"),
    "RTCP padding before the last part": _rtcp(0xA0, 201, 2, bytes(7) + b"\x04") + _RR,
    "RTP at the RTCP port": _rtp(0x80, 0, bytes(160)),
}
