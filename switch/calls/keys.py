"""Keys between legs that have them in different ways: in the sound, or by SIP INFO; RFC 4733, RFC 6086.

What comes by INFO goes into the sound of a leg that does not ask for INFO (``dtmf``); what a leg that does is
to hear of is listened for in the sound of the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from switchroom.protocols import sdp, sip
from switchroom.switch.media import keying, sounding

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call
    from switchroom.switch.calls.leg import Leg

_RELAY = (("Content-Type", "application/dtmf-relay"),)
_KEYS = "0123456789*#ABCD"
_MS = 160
_SIGNAL = re.compile(rb"signal\s{0,8}=\s{0,8}([0-9A-Da-d*#]{1,2})", re.IGNORECASE)
_DURATION = re.compile(rb"duration\s{0,8}=\s{0,8}([0-9]{1,5})", re.IGNORECASE)


def key_of_info(content_type: str, body: bytes) -> tuple[str, int] | None:
    """The key in an INFO of application/dtmf-relay or application/dtmf, and its milliseconds; None: none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/dtmf-relay":
        signal = _SIGNAL.search(body[:512])
        duration = _DURATION.search(body[:512])
        text = signal[1].decode() if signal else ""
    elif kind == "application/dtmf":
        text, duration = body[:8].decode("ascii", "replace").strip(), None
    else:
        return None
    if text.isdecimal() and 10 <= int(text) <= 15:  # some send the number of the event
        text = _KEYS[int(text)]
    key = text.upper()
    if len(key) != 1 or key not in _KEYS:
        return None
    return key, min(int(duration[1]), 8000) if duration else 160


def from_info(far: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float) -> bool:
    """Put the key of an INFO into what ``far`` hears, if that is how it has keys; else the INFO travels."""
    key = key_of_info(request.content_type or "", request.body)
    if key is None or far.media.security.policy.has_info:
        return False
    if not keying.press(far.call.media, far.media, *key):
        return False
    transaction.respond(200, now)
    return True


def attend(call: Call) -> None:
    """The call is answered: listen for keys to a leg that has them by INFO."""
    if call.b is None:
        return
    has_one, has_two = call.a.media.security.policy.has_info, call.b.media.security.policy.has_info
    if has_one != has_two:
        _listen(call, call.a, call.b) if has_one else _listen(call, call.b, call.a)


def _listen(call: Call, leg: Leg, far: Leg) -> None:
    station = sounding.tap(call.media, far.media)
    if station is not None:
        station.listen(keys=not _has_events(far))
        call.media.plane.sounds.listen(station, _Ear(call, leg))


def _has_events(leg: Leg) -> bool:
    """Whether a leg was told telephone-event: then it has no keys in its sound."""
    lines = sdp.Description.parse(leg.media.sent).media if leg.media.sent else ()
    return any(codec.encoding.lower() == "telephone-event" for line in lines for codec in line.codecs)


class _Ear:
    """Hears keys, and tells a leg."""

    def __init__(self, call: Call, leg: Leg) -> None:
        self._call, self._leg = call, leg

    def __call__(self, kind: str, value: int) -> None:
        if kind != "key-down" or self._call.is_over:
            return
        now = self._call.exchange.clock.now()
        self._leg.session.send_request(
            "INFO", now, body=f"Signal={chr(value & 0xFF)}\r\nDuration={_MS}\r\n".encode(), headers=_RELAY
        )
