"""The words that codecs are spoken of with. Samples are 16-bit PCM in numpy arrays, channels interleaved."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["CodecError", "Format", "Library", "PacketTime", "Samples"]

Samples: TypeAlias = npt.NDArray[np.int16]


class CodecError(ValueError):
    """What a codec was given is not for it: a damaged payload, part of a frame, a setting out of range."""

    def __init__(self, codec: str, reason: str) -> None:
        super().__init__(f"{codec}: {reason}")
        self.codec = codec
        self.reason = reason


class Format(NamedTuple):
    """A codec as SDP names it, and the samples on its inner side."""

    encoding: str
    clock_rate: int  # of RTP timestamps; differs from the sample rate for G.722 and Opus
    channels: int
    sample_rate: int

    @property
    def name(self) -> str:
        """PCMU/8000; the number of channels is said when there are several."""
        name = f"{self.encoding}/{self.clock_rate}"
        return name if self.channels == 1 else f"{name}/{self.channels}"


class PacketTime(NamedTuple):
    """Milliseconds of sound in one packet: as a rule, and what an encoder can make."""

    default: int = 20
    choices: tuple[int, ...] = (10, 20, 30, 40, 50, 60)

    def fit(self, wanted: int | None) -> int:
        """The longest choice that is not longer than wanted; the shortest when all are. None: as a rule."""
        if wanted is None:
            return self.default
        return max((choice for choice in self.choices if choice <= wanted), default=self.choices[0])

    def of_frames(self, samples: int, rate: int) -> PacketTime:
        """Those of the choices that are whole frames, for a codec whose frames may have several lengths."""
        choices = tuple(choice for choice in self.choices if choice * rate % (samples * 1000) == 0)
        return PacketTime(self.default if self.default in choices else choices[0], choices)


class Library(NamedTuple):
    """A shared library of the system that does a codec's work."""

    file: str
    version: str
    missing: str  # why it cannot be used; "": it can
