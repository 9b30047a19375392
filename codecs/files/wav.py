"""WAV files (RIFF): PCM of 8, 16, 24 and 32 bits, floating point, and both forms of G.711.

Whatever a file says of its sizes is checked against what is there: one whose writer was killed, so that its
header does not fit, is read as far as it goes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from ..catalog import find
from ..codec import CodecError, Samples

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_MAX_CHANNELS = 8
_MAX_CHUNKS = 64
_RATES = range(4000, 192_001)
HEADER_SIZE = 44


class WavHeader(NamedTuple):
    """What a file says of its samples, and where they are."""

    form: int  # WAVE_FORMAT
    channels: int
    rate: int
    bits: int
    start: int  # of the samples in the file
    size: int  # octets of samples, as far as they are there

    @property
    def block(self) -> int:
        """Octets of one sample of all channels."""
        return self.channels * self.bits // 8


def read_wav(data: bytes) -> tuple[Samples, int]:
    """Return samples, all channels mixed into one, and their rate; CodecError: this is no such file."""
    header = wav_header(data)
    count = header.size // header.block * header.block
    values = _values(header, data[header.start : header.start + count])
    if header.channels > 1:
        values = values.reshape(-1, header.channels).astype(np.int32).mean(axis=1).astype(np.int16)
    return np.ascontiguousarray(values, dtype=np.int16), header.rate


def wav_header(data: bytes) -> WavHeader:
    """Read the header of a file that begins so."""
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise CodecError("WAV", "this is no RIFF file with WAVE in it")
    at, shape = 12, None
    for _ in range(_MAX_CHUNKS):
        if at + 8 > len(data):
            break
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if name == b"fmt ":
            shape = _shape(data[at : at + min(size, 64)])
        elif name == b"data":
            if shape is None:
                raise CodecError("WAV", "samples before their format")
            return WavHeader(*shape, at, min(size, len(data) - at))
        at += size + size % 2
    raise CodecError("WAV", "no samples in it")


def _shape(chunk: bytes) -> tuple[int, int, int, int]:
    if len(chunk) < 16:
        raise CodecError("WAV", f"a format of {len(chunk)} octets")
    form, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if form == _EXTENSIBLE and len(chunk) >= 26:
        form = int.from_bytes(chunk[24:26], "little")
    allowed = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), _ALAW: (8,), _ULAW: (8,)}.get(form, ())
    if bits not in allowed:
        raise CodecError("WAV", f"format {form} with {bits} bits is not read")
    if not 1 <= channels <= _MAX_CHANNELS or rate not in _RATES or block != channels * bits // 8:
        raise CodecError("WAV", f"{channels} channels at {rate} Hz in blocks of {block} octets")
    return form, channels, rate, bits


def _values(header: WavHeader, data: bytes) -> Samples:
    if header.form in (_ALAW, _ULAW):
        return find("PCMA" if header.form == _ALAW else "PCMU").decoder().decode(data) if data else _NONE
    if header.form == _FLOAT:
        floats = np.frombuffer(data, dtype=f"<f{header.bits // 8}")
        limited = np.clip(np.nan_to_num(floats, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
        return np.asarray(limited * 32767, np.int16)
    if header.bits == 8:
        return np.asarray((np.frombuffer(data, dtype=np.uint8).astype(np.int16) - 128) << 8, np.int16)
    if header.bits == 16:
        return np.frombuffer(data, dtype="<i2").astype(np.int16)
    octets = np.frombuffer(data, dtype=np.uint8).reshape(-1, header.bits // 8)
    return np.ascontiguousarray(octets[:, -2:]).view("<i2").reshape(-1).astype(np.int16)


def write_header(rate: int, channels: int, octets: int) -> bytes:
    """The header of a file of 16-bit samples of which ``octets`` are there."""
    block = 2 * channels
    octets = min(octets, 0xFFFFFFFF - HEADER_SIZE)
    return b"RIFF" + struct.pack(
        "<I4s4sIHHIIHH4sI",
        octets + HEADER_SIZE - 8,
        b"WAVE",
        b"fmt ",
        16,
        _PCM,
        channels,
        rate,
        rate * block,
        block,
        16,
        b"data",
        octets,
    )


_NONE = np.zeros(0, dtype=np.int16)
