"""G.711 once more, plain and in another way than the product's: what the tests compare with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from switchroom.codecs import Samples

__all__ = ["decode_alaw", "decode_ulaw", "encode_alaw", "encode_ulaw"]

_CODES = np.arange(256, dtype=np.int32)
_LEVELS = np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32)  # in the order of their bits
# one's complement for negative samples: 0 and -1 are the two smallest steps
_MAGNITUDES = np.where(_LEVELS < 0, ~_LEVELS, _LEVELS)
_BIAS = 33  # added to a µ-law magnitude, each segment begins at a power of two


def decode_ulaw(data: bytes) -> Samples:
    """Turn µ-law octets into samples."""
    return _ULAW_LEVELS[np.frombuffer(data, np.uint8)]


def decode_alaw(data: bytes) -> Samples:
    """Turn A-law octets into samples."""
    return _ALAW_LEVELS[np.frombuffer(data, np.uint8)]


def encode_ulaw(samples: Samples) -> bytes:
    """Turn samples into µ-law octets."""
    return _ULAW_CODES[_as_index(samples)].tobytes()


def encode_alaw(samples: Samples) -> bytes:
    """Turn samples into A-law octets."""
    return _ALAW_CODES[_as_index(samples)].tobytes()


def _as_index(samples: Samples) -> npt.NDArray[np.uint16]:
    if samples.dtype != np.int16:
        raise TypeError(f"samples are 16-bit integers, not {samples.dtype}")
    return samples.view(np.uint16)


def _expand_ulaw() -> Samples:
    inverted = ~_CODES & 0xFF
    segment, step = inverted >> 4 & 7, inverted & 15
    magnitude = ((2 * step + 33) << segment) - _BIAS
    return (np.where(_CODES < 0x80, -magnitude, magnitude) << 2).astype(np.int16)


def _expand_alaw() -> Samples:
    code = _CODES ^ 0x55  # even bits are inverted on the line
    segment, step = code >> 4 & 7, code & 15
    magnitude = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    return (np.where(code < 0x80, -magnitude, magnitude) << 3).astype(np.int16)


def _compress_ulaw() -> npt.NDArray[np.uint8]:
    magnitude = np.minimum((_MAGNITUDES >> 2) + _BIAS, 0x1FFF)
    segment = np.searchsorted(64 << np.arange(7), magnitude, side="right")
    code = (segment << 4 | magnitude >> (segment + 1) & 15) ^ 0x7F
    codes: npt.NDArray[np.uint8] = np.where(_LEVELS < 0, code, code ^ 0x80).astype(np.uint8)
    return codes


def _compress_alaw() -> npt.NDArray[np.uint8]:
    magnitude = _MAGNITUDES >> 4
    segment = np.searchsorted(16 << np.arange(7), magnitude, side="right")
    doublings = np.maximum(segment - 1, 0)  # the first two segments have steps of one size
    code = (segment << 4 | magnitude >> doublings & 15) ^ 0x55
    return np.where(_LEVELS < 0, code, code ^ 0x80).astype(np.uint8)


_ULAW_LEVELS = _expand_ulaw()
_ALAW_LEVELS = _expand_alaw()
_ULAW_CODES = _compress_ulaw()
_ALAW_CODES = _compress_alaw()
