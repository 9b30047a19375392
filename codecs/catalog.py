"""Names to codecs: "PCMU/8000", as SDP writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ._native import Config, Decoder, Encoder, library_of
from .codec import Format, Library, PacketTime

__all__ = ["CODECS", "Codec", "find"]

_TWENTY = PacketTime()


@dataclass(frozen=True, slots=True)
class Codec:
    """One entry of the catalogue."""

    format: Format
    native: str  # its name in codec.h
    licence: str = "Apache-2.0"
    payload_type: int | None = None  # the static one, RFC 3551 table 4
    packet_time: PacketTime = _TWENTY
    settings: Mapping[str, int] = field(default_factory=dict, hash=False)

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


def _g726(kbit: int, packing: str = "") -> Codec:
    shape = {"bits": kbit // 8, "aal2": int(packing != "")}
    return Codec(Format(f"{packing}G726-{kbit}", 8000, 1, 8000), "g726", settings=shape)


_ENTRIES = (
    Codec(Format("PCMU", 8000, 1, 8000), "pcmu", payload_type=0),
    Codec(Format("PCMA", 8000, 1, 8000), "pcma", payload_type=8),
    Codec(Format("G722", 8000, 1, 16000), "g722", payload_type=9),
    Codec(Format("GSM", 8000, 1, 8000), "gsm", payload_type=3, packet_time=PacketTime(20, 20, 60)),
    *(_g726(kbit, packing) for packing in ("", "AAL2-") for kbit in (32, 24, 16, 40)),
    _l16(8000),
    _l16(16000),
    _l16(32000),
    _l16(44100, 1, 11),
    _l16(44100, 2, 10),
    _l16(48000),
    _l16(48000, 2),
)

CODECS: Mapping[str, Codec] = MappingProxyType({codec.format.name.lower(): codec for codec in _ENTRIES})


def find(name: str) -> Codec:
    """Return the codec of that name, whatever its case; LookupError when there is none."""
    codec = CODECS.get(name.lower())
    if codec is None:
        raise LookupError(f"no codec {name!r}; there are {', '.join(c.format.name for c in CODECS.values())}")
    return codec
