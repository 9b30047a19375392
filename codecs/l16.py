"""L16: samples as they are, in network byte order; RFC 3551 §4.5.11."""

from __future__ import annotations

import numpy as np

from .codec import Samples

__all__ = ["decode_l16", "encode_l16"]


def decode_l16(data: bytes) -> Samples:
    """Turn octets into samples; half a sample at the end is dropped."""
    return np.frombuffer(data, ">i2", count=len(data) // 2).astype(np.int16)


def encode_l16(samples: Samples) -> bytes:
    """Turn samples into octets."""
    if samples.dtype != np.int16:
        raise TypeError(f"samples are 16-bit integers, not {samples.dtype}")
    return samples.astype(">i2").tobytes()
