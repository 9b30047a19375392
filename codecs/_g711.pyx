# cython: boundscheck=False, wraparound=False
"""G.711, the fast twin of g711.py: tables made once, one look-up a sample; bit-exact to ITU-T G.191."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, uint8_t

import numpy as np

__all__ = ["decode_alaw", "decode_ulaw", "encode_alaw", "encode_ulaw"]

cdef object _INT16 = np.dtype(np.int16)
cdef object _empty = np.empty

cdef int16_t _ulaw_levels[256]
cdef int16_t _alaw_levels[256]
cdef uint8_t _ulaw_codes[16384]  # both laws ignore the low bits: 14 and 12 of 16 are looked at
cdef uint8_t _alaw_codes[4096]


def decode_ulaw(data):
    """Turn µ-law octets into samples."""
    return _expand(data, _ulaw_levels)


def decode_alaw(data):
    """Turn A-law octets into samples."""
    return _expand(data, _alaw_levels)


def encode_ulaw(samples):
    """Turn samples into µ-law octets."""
    return _compress(samples, _ulaw_codes, 2, 16383)


def encode_alaw(samples):
    """Turn samples into A-law octets."""
    return _compress(samples, _alaw_codes, 4, 4095)


cdef object _expand(data, const int16_t* levels):
    cdef Py_buffer source, target
    cdef const uint8_t* codes
    cdef int16_t* out
    cdef Py_ssize_t i
    PyObject_GetBuffer(data, &source, PyBUF_SIMPLE)
    try:
        samples = _empty(source.len, _INT16)
        PyObject_GetBuffer(samples, &target, PyBUF_WRITABLE)
        codes = <const uint8_t*>source.buf
        out = <int16_t*>target.buf
        for i in range(source.len):
            out[i] = levels[codes[i]]
        PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&source)
    return samples


cdef object _compress(samples, const uint8_t* codes, int shift, int mask):
    cdef Py_buffer source
    cdef const int16_t* levels
    cdef uint8_t* out
    cdef Py_ssize_t i, count
    if samples.dtype != _INT16:
        raise TypeError(f"samples are 16-bit integers, not {samples.dtype}")
    PyObject_GetBuffer(samples if samples.flags.c_contiguous else samples.copy(order="C"), &source, PyBUF_SIMPLE)
    try:
        count = source.len // 2
        data = PyBytes_FromStringAndSize(NULL, count)
        levels = <const int16_t*>source.buf
        out = <uint8_t*>PyBytes_AS_STRING(data)
        for i in range(count):
            out[i] = codes[(levels[i] >> shift) & mask]
    finally:
        PyBuffer_Release(&source)
    return data


cdef int _segment(int magnitude, int bound) noexcept:
    cdef int segment = 0
    while segment < 7 and magnitude >= bound << segment:
        segment += 1
    return segment


cdef void _make_tables() noexcept:
    cdef int code, line, level, magnitude, segment
    for code in range(256):
        line = ~code & 0xFF
        magnitude = (((2 * (line & 15) + 33) << (line >> 4 & 7)) - 33) << 2
        _ulaw_levels[code] = -magnitude if code < 0x80 else magnitude
        line = code ^ 0x55
        segment = line >> 4 & 7
        magnitude = 2 * (line & 15) + 1 if segment == 0 else (2 * (line & 15) + 33) << (segment - 1)
        _alaw_levels[code] = (-magnitude if line < 0x80 else magnitude) * 8
    for level in range(-8192, 8192):
        magnitude = min((~level if level < 0 else level) + 33, 0x1FFF)
        segment = _segment(magnitude, 64)
        code = (segment << 4 | (magnitude >> (segment + 1) & 15)) ^ 0x7F
        _ulaw_codes[level & 16383] = code if level < 0 else code | 0x80
    for level in range(-2048, 2048):
        magnitude = ~level if level < 0 else level
        segment = _segment(magnitude, 16)
        code = segment << 4 | (magnitude >> max(segment - 1, 0) & 15)
        _alaw_codes[level & 4095] = (code if level < 0 else code | 0x80) ^ 0x55


_make_tables()
