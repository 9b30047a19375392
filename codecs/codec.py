"""What every codec offers. Samples are 16-bit PCM in numpy arrays, channels interleaved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Codec", "Decoder", "Encoder", "Format", "Samples"]

Samples: TypeAlias = npt.NDArray[np.int16]


class Format(NamedTuple):
    """A codec as SDP names it, and the samples on its inner side."""

    encoding: str
    clock_rate: int  # of RTP timestamps; differs from the sample rate for G.722 alone
    channels: int
    sample_rate: int

    @property
    def name(self) -> str:
        """PCMU/8000; the number of channels is said when there are several."""
        name = f"{self.encoding}/{self.clock_rate}"
        return name if self.channels == 1 else f"{name}/{self.channels}"


class Encoder(Protocol):
    """Samples to bytes; may remember what came before, so each stream has its own."""

    def encode(self, samples: Samples) -> bytes: ...


class Decoder(Protocol):
    """Bytes to samples; takes whole frames and drops what is left over, whatever the bytes are."""

    def decode(self, data: bytes) -> Samples: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """One entry of the catalogue."""

    format: Format
    encoder: Callable[[], Encoder]
    decoder: Callable[[], Decoder]
