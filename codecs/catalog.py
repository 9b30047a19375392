"""Names to codecs: "PCMU/8000", as SDP writes them. docs/codecs.md shows how to add one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ._native import Config, Decoder, Encoder, library_of
from .codec import Format, Library, PacketTime
from .fmtp import (
    AmrParameters,
    G729Parameters,
    IlbcParameters,
    OpusParameters,
    Parameters,
    SpeexParameters,
)

__all__ = ["CODECS", "Codec", "find"]

_ANY_TIME = PacketTime()
_TWENTIES = PacketTime(20, (20, 40, 60))
_ILBC_TIMES = PacketTime(20, (20, 30, 40, 60))  # of frames of 20 or of 30 ms
_OPUS_TIMES = PacketTime(20, (10, 20, 40, 60))  # one packet cannot hold 30 or 50 ms
_PLAIN = Parameters()


@dataclass(frozen=True, slots=True)
class Codec:
    """One entry of the catalogue."""

    format: Format
    native: str  # its name in codec.h
    licence: str = "Apache-2.0"
    aliases: tuple[str, ...] = ()
    payload_type: int | None = None  # the static one, RFC 3551 table 4
    packet_time: PacketTime = _ANY_TIME
    settings: Mapping[str, int] = field(
        default_factory=dict, hash=False
    )  # where they are not the codec's own
    parameters: Parameters = _PLAIN  # what its a=fmtp lines mean

    @property
    def library(self) -> Library | None:
        """The system's library behind it; None: it is ours and always there."""
        return library_of(self.native)

    @property
    def is_offered(self) -> bool:
        """Whether it can be used here: its library was found."""
        library = self.library
        return library is None or not library.missing

    def config(self, **settings: int) -> Config:
        """What decoders and encoders are made of, the media engine's too; CodecError for a bad setting."""
        return Config(self.native, **{**self.settings, **settings})

    def decoder(self, **settings: int) -> Decoder:
        """Payloads to samples; CodecError when it is not offered here."""
        return Decoder(self.config(**settings))

    def encoder(self, **settings: int) -> Encoder:
        """Samples to payloads; CodecError when it is not offered here."""
        return Encoder(self.config(**settings))


def _l16(rate: int, channels: int = 1, payload_type: int | None = None) -> Codec:
    shape = {"sample_rate": rate, "channels": channels}
    return Codec(Format("L16", rate, channels, rate), "l16", payload_type=payload_type, settings=shape)


def _g726(kbit: int, packing: str = "", aliases: tuple[str, ...] = ()) -> Codec:
    shape = {"bits": kbit // 8, "aal2": int(packing != "")}
    return Codec(Format(f"{packing}G726-{kbit}", 8000, 1, 8000), "g726", aliases=aliases, settings=shape)


def _speex(rate: int) -> Codec:
    shape = {"sample_rate": rate}
    return Codec(
        Format("speex", rate, 1, rate),
        "speex",
        "BSD-3-Clause",
        packet_time=_TWENTIES,
        settings=shape,
        parameters=SpeexParameters(),
    )


def _amr(encoding: str, rate: int, best_mode: int) -> Codec:
    return Codec(
        Format(encoding, rate, 1, rate),
        encoding.lower(),
        packet_time=_TWENTIES,
        parameters=AmrParameters(best_mode),
    )


_ENTRIES = (
    Codec(Format("PCMU", 8000, 1, 8000), "pcmu", payload_type=0),
    Codec(Format("PCMA", 8000, 1, 8000), "pcma", payload_type=8),
    Codec(Format("G722", 8000, 1, 16000), "g722", payload_type=9),
    Codec(
        Format("opus", 48000, 2, 48000),
        "opus",
        "BSD-3-Clause",
        aliases=("opus/48000",),
        packet_time=_OPUS_TIMES,
        settings={"channels": 2},
        parameters=OpusParameters(),
    ),
    Codec(
        Format("G729", 8000, 1, 8000),
        "g729",
        "GPL-3.0-or-later",
        aliases=("G729A/8000",),
        payload_type=18,
        parameters=G729Parameters(),
    ),
    Codec(Format("GSM", 8000, 1, 8000), "gsm", payload_type=3, packet_time=_TWENTIES),
    Codec(
        Format("iLBC", 8000, 1, 8000),
        "ilbc",
        packet_time=_ILBC_TIMES,
        settings={"mode": 20},
        parameters=IlbcParameters(),
    ),
    _amr("AMR", 8000, 7),
    _amr("AMR-WB", 16000, 8),
    *(_speex(rate) for rate in (8000, 16000, 32000)),
    _g726(32, aliases=("G721/8000",)),
    *(_g726(kbit) for kbit in (24, 16, 40)),
    *(_g726(kbit, "AAL2-") for kbit in (32, 24, 16, 40)),
    _l16(8000),
    _l16(16000),
    _l16(32000),
    _l16(44100, 1, 11),
    _l16(44100, 2, 10),
    _l16(48000),
    _l16(48000, 2),
)

CODECS: Mapping[str, Codec] = MappingProxyType({codec.format.name.lower(): codec for codec in _ENTRIES})
_BY_ENCODING = {codec.format.encoding.lower(): codec for codec in reversed(_ENTRIES)}
_BY_ALIAS = {alias.lower(): codec for codec in _ENTRIES for alias in codec.aliases}


def find(name: str) -> Codec:
    """Return the codec of that name, whatever its case; LookupError when there is none.

    An encoding alone means the first of its kind: "opus", "speex" at 8000 Hz.
    """
    key = name.lower()
    codec = CODECS.get(key) or _BY_ALIAS.get(key) or _BY_ENCODING.get(key)
    if codec is None:
        raise LookupError(f"no codec {name!r}; there are {', '.join(c.format.name for c in CODECS.values())}")
    return codec
