"""The two forms of G.711: one octet becomes another, so such sound is relayed and not converted.

Numbers, times and the source stay as the sender has them, RTCP passes, and the kernel can do it too.
"""

from __future__ import annotations

from switchroom.codecs import Decoder, Encoder, find

from .stream import Conversion, Recoding, Retyped

_FORMS = ("pcmu", "pcma")  # of what becomes the other: a table's place is that of the form that comes in
_MAX_TYPES = 8  # MAX_CLOCKS


def _tables() -> tuple[bytes, bytes]:
    octets = bytes(range(256))
    forms = [find(name).config() for name in _FORMS]
    to_alaw, to_ulaw = (
        Encoder(other).encode(Decoder(one).decode(octets)) for one, other in (forms, reversed(forms))
    )
    return to_alaw, to_ulaw


TABLES = _tables()  # by the octet that comes in; what a decoder and an encoder would make of it


def recoded(one: Conversion, other: Conversion) -> tuple[Recoding | None, Recoding | None]:
    """Say how the sound of two ends becomes each other's without a converter; None, None: it takes one."""
    found = _recoding(one), _recoding(other)
    if None in found or one.packet_ms != other.packet_ms:
        return None, None
    return found


def _recoding(conversion: Conversion) -> Recoding | None:
    decoded = {one.config.name for one in conversion.incoming if one.config is not None}
    if decoded | {conversion.config.name} != set(_FORMS) or len(decoded) != 1:
        return None
    events = {one.clock_rate for one in conversion.incoming if one.is_event}
    if events != ({conversion.event[1]} if conversion.event else set()):
        return None  # keys become tones, or tones keys
    types = []
    for one in conversion.incoming:
        leaves = one.copied_as if one.config is None else conversion.payload_type
        if one.is_event and conversion.event:
            leaves = conversion.event[0]
        if one.is_noise and conversion.noise:
            leaves = conversion.noise[0]
        if leaves is None:
            return None
        types.append(Retyped(one.payload_type, leaves, one.config is not None))
    return Recoding(_FORMS.index(decoded.pop()), tuple(types)) if len(types) <= _MAX_TYPES else None
