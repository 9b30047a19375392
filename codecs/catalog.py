"""Names to codecs: "PCMU/8000", as SDP writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from . import g711, l16
from .codec import Codec, Decoder, Encoder, Format, Samples

__all__ = ["CODECS", "find"]


class _Encoder:
    """An encoder without memory: a function."""

    __slots__ = ("encode",)

    def __init__(self, encode: Callable[[Samples], bytes]) -> None:
        self.encode = encode


class _Decoder:
    """A decoder without memory: a function."""

    __slots__ = ("decode",)

    def __init__(self, decode: Callable[[bytes], Samples]) -> None:
        self.decode = decode


def _stateless(
    name: Format, encode: Callable[[Samples], bytes], decode: Callable[[bytes], Samples]
) -> tuple[str, Codec]:
    encoder: Callable[[], Encoder] = partial(_Encoder, encode)
    decoder: Callable[[], Decoder] = partial(_Decoder, decode)
    return name.name.lower(), Codec(name, encoder, decoder)


def _l16(rate: int, channels: int = 1) -> tuple[str, Codec]:
    return _stateless(Format("L16", rate, channels, rate), l16.encode_l16, l16.decode_l16)


CODECS: Mapping[str, Codec] = MappingProxyType(
    dict(
        (
            _stateless(Format("PCMU", 8000, 1, 8000), g711.encode_ulaw, g711.decode_ulaw),
            _stateless(Format("PCMA", 8000, 1, 8000), g711.encode_alaw, g711.decode_alaw),
            _l16(8000),
            _l16(16000),
            _l16(44100),
            _l16(44100, 2),
            _l16(48000),
        )
    )
)


def find(name: str) -> Codec:
    """Return the codec of that name, whatever its case; LookupError when there is none."""
    codec = CODECS.get(name.lower())
    if codec is None:
        raise LookupError(f"no codec {name!r}; there are {', '.join(c.format.name for c in CODECS.values())}")
    return codec
