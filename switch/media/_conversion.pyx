"""Sound from one codec to another, packet by packet: conversion/transcoder.c for Python and for the engine."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t

import random

cdef extern from "codecs/codec.h" nogil:
    struct codec_config:
        pass

cdef extern from "converter.h" nogil:
    struct converter:
        void (*take)(converter *, const uint8_t *data, size_t size, uint64_t now) noexcept
        size_t (*make)(converter *, uint8_t *packet, size_t room) noexcept
        void (*destroy)(converter *) noexcept
        void (*hear)(converter *, uint64_t now) noexcept

cdef extern from "conversion/transcoder.h" nogil:
    enum: CONVERSION_FORMATS, NOT_COPIED
    struct incoming:
        uint8_t payload_type, copied_as, is_event, is_noise
        uint32_t clock_rate
        codec_config config
    struct conversion:
        incoming incoming[16]
        int incoming_count
        codec_config config
        uint8_t payload_type, event_type, noise_type
        int32_t packet_ms
        uint32_t event_rate, noise_rate, ssrc, timestamp
        uint16_t sequence_number
    converter *transcoder_create(const conversion *)

cdef enum:
    PACKET_ROOM = 2048


cdef codec_config _config(object config) except *:
    capsule = config.capsule  # what it holds lives as long
    return (<codec_config *>PyCapsule_GetPointer(capsule, "switchroom.codec_config"))[0]


cdef class Converter:
    """Converts the packets of one direction; ValueError when that cannot be done as asked."""

    cdef converter *_converter

    def __cinit__(self, wanted not None):
        cdef conversion terms
        cdef incoming *one
        formats, terms.payload_type, config, terms.packet_ms, event, noise = wanted
        if len(formats) > CONVERSION_FORMATS:
            raise ValueError(f"{len(formats)} payload types, at most {CONVERSION_FORMATS} can be converted")
        terms.incoming_count = len(formats)
        for i in range(terms.incoming_count):
            one = &terms.incoming[i]
            one.payload_type, one.clock_rate, decoded, copied_as, one.is_event, one.is_noise = formats[i]
            one.copied_as = NOT_COPIED if copied_as is None else copied_as
            if decoded is not None:
                one.config = _config(decoded)
            elif copied_as is None and not one.is_event and not one.is_noise:
                raise ValueError(f"payload type {one.payload_type} is neither decoded nor copied")
        terms.config = _config(config)
        terms.event_type, terms.event_rate = (0, 0) if event is None else event
        terms.noise_type, terms.noise_rate = (0, 0) if noise is None else noise
        terms.ssrc, terms.timestamp = random.getrandbits(32), random.getrandbits(32)  # RFC 3550 §5.1, §8.1
        terms.sequence_number = random.getrandbits(15)
        self._converter = transcoder_create(&terms)
        if self._converter == NULL:
            raise ValueError(f"cannot convert to {config!r} in packets of {terms.packet_ms} ms")

    def __dealloc__(self):
        if self._converter != NULL:
            self._converter.destroy(self._converter)

    def convert(self, bytes packet not None, double now=0.0):
        """Take an RTP packet at ``now`` (monotonic seconds); returns the packets that come of it."""
        if self._converter == NULL:
            raise ValueError("the converter was handed over")
        self._converter.take(
            self._converter, <const uint8_t *>PyBytes_AS_STRING(packet), PyBytes_GET_SIZE(packet), <uint64_t>(now * 1e9)
        )
        return self._made()

    def tick(self, double now):
        """What is made in pauses until ``now``, as the engine asks for it every 20 ms."""
        if self._converter == NULL:
            raise ValueError("the converter was handed over")
        if self._converter.hear != NULL:
            self._converter.hear(self._converter, <uint64_t>(now * 1e9))
        return self._made()

    cdef list _made(self):
        cdef size_t size
        made = []
        while True:
            data = PyBytes_FromStringAndSize(NULL, PACKET_ROOM)
            size = self._converter.make(self._converter, <uint8_t *>PyBytes_AS_STRING(data), PACKET_ROOM)
            if size == 0:
                return made
            made.append(data[:size])

    def hand_over(self):
        """Give it away, once: a PyCapsule named switchroom.converter, whose pointer the receiver destroys."""
        if self._converter == NULL:
            raise ValueError("the converter was handed over")
        capsule = PyCapsule_New(self._converter, "switchroom.converter", NULL)
        self._converter = NULL
        return capsule
