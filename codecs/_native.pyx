# cython: boundscheck=False, wraparound=False
"""The codecs of codec.h for Python: the same functions that the media engine calls, with arrays and exceptions."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int16_t, int32_t, uint8_t

import numpy as np

from .codec import CodecError, Library

__all__ = ["NAMES", "Config", "Decoder", "Encoder", "library_of", "settings_of"]

cdef object _INT16 = np.dtype(np.int16)
cdef object _empty = np.empty
cdef const char* _CAPSULE = "switchroom.codec_config"
cdef dict _TUNES = {"mode": CODEC_MODE, "bitrate": CODEC_BITRATE, "loss": CODEC_LOSS}
cdef Py_ssize_t _RECORDING_MAX = 1 << 30  # values in one call: more than six hours at 48 kHz


cdef const codec* _find(str name) except NULL:
    cdef int i = 0
    cdef bytes wanted = name.encode()
    while codec_all[i] != NULL:
        if codec_all[i].name == wanted:
            return codec_all[i]
        i += 1
    raise LookupError(f"no codec {name!r} was built in; there are {', '.join(NAMES)}")


def settings_of(str name):
    """The settings of a codec: name to (initial, least, most)."""
    cdef const codec_setting* setting = _find(name).settings
    found = {}
    while setting != NULL and setting.name != NULL:
        found[setting.name.decode()] = (setting.initial, setting.least, setting.most)
        setting += 1
    return found


def library_of(str name):
    """The library of the system that does the work, looked for at the first call; None: the codec is ours."""
    cdef const codec* found = _find(name)
    cdef const codec_library* library
    if found.library == NULL:
        return None
    library = found.library()
    missing = library.missing.decode() if library.missing != NULL else ""
    return Library(library.file.decode(), library.version.decode(), missing)


cdef class Config:
    """A codec in one shape and with settings. ``capsule`` is how C gets at it; it lives as long as the capsule."""

    def __init__(self, str name, **settings):
        cdef const codec* found = _find(name)
        self.value.codec = found
        self.value.format = found.format
        known = settings_of(name)
        for setting in settings:
            if setting not in known:
                raise CodecError(name, f"has no setting {setting!r}, only {', '.join(known) or 'none'}")
        for i, (setting, (initial, least, most)) in enumerate(known.items()):
            number = settings.get(setting, initial)
            if not least <= number <= most:
                raise CodecError(name, f"{setting} is {number}, not from {least} to {most}")
            self.value.settings[i] = number
        if found.shape != NULL and found.shape(&self.value) != 0:
            raise CodecError(name, f"cannot be had with {settings}")

    @property
    def name(self):
        return self.value.codec.name.decode()

    @property
    def clock_rate(self):
        return self.value.format.clock_rate

    @property
    def sample_rate(self):
        return self.value.format.sample_rate

    @property
    def channels(self):
        return self.value.format.channels

    @property
    def frame_samples(self):
        return self.value.format.frame_samples

    @property
    def frame_octets(self):
        return self.value.format.frame_octets

    @property
    def settings(self):
        return {name: self.value.settings[i] for i, name in enumerate(settings_of(self.name))}

    @property
    def can_conceal(self):
        return self.value.codec.conceal != NULL

    @property
    def capsule(self):
        """A PyCapsule named switchroom.codec_config around a ``const struct codec_config *``."""
        cdef codec_config* copy = <codec_config*>PyMem_Malloc(sizeof(codec_config))
        if copy == NULL:
            raise MemoryError
        copy[0] = self.value
        return PyCapsule_New(copy, _CAPSULE, _free_capsule)

    def measure(self, data):
        """How many samples per channel a payload holds."""
        cdef Py_buffer source
        _refuse_missing(&self.value)
        PyObject_GetBuffer(data, &source, PyBUF_SIMPLE)
        try:
            return _checked(&self.value, self.value.codec.measure(&self.value, <const uint8_t*>source.buf, source.len))
        finally:
            PyBuffer_Release(&source)

    def __repr__(self):
        settings = "".join(f", {name}={value}" for name, value in self.settings.items())
        return f"Config({self.name!r}{settings})"


cdef void _free_capsule(object capsule) noexcept:
    PyMem_Free(PyCapsule_GetPointer(capsule, _CAPSULE))


cdef int _checked(const codec_config* config, int result) except -1:
    if result >= 0:
        return result
    name = config.codec.name.decode()
    if result == CODEC_DAMAGED:
        raise CodecError(name, "the payload is damaged")
    if result == CODEC_NOT_WHOLE:
        raise CodecError(
            name, f"takes whole frames of {config.format.frame_samples} samples, and what fits in one payload"
        )
    if result == CODEC_NO_ROOM:
        raise CodecError(name, "more would come out than a payload can hold")
    raise CodecError(name, "its library failed")


cdef _refuse_missing(const codec_config* config):
    cdef const codec_library* library
    if config.codec.library != NULL:
        library = config.codec.library()
        if library.missing != NULL:
            raise CodecError(config.codec.name.decode(), library.missing.decode())


cdef class Decoder:
    """Payloads to samples; remembers what came before, so each stream has its own."""

    def __cinit__(self, Config config not None):
        _refuse_missing(&config.value)
        self.config = config.value
        self.state = self.config.codec.decoder_create(&self.config)
        if self.state == NULL:
            raise MemoryError(f"no decoder of {config.name}")

    def __dealloc__(self):
        if self.state != NULL:
            self.config.codec.decoder_destroy(self.state)

    def decode(self, data):
        """Turn one payload into samples; CodecError when it is damaged. What follows the last whole frame is dropped."""
        cdef Py_buffer source
        cdef int count
        PyObject_GetBuffer(data, &source, PyBUF_SIMPLE)
        try:
            if source.len > _RECORDING_MAX:
                raise CodecError(self.config.codec.name.decode(), f"{source.len} octets are too many at once")
            count = _checked(
                &self.config, self.config.codec.measure(&self.config, <const uint8_t*>source.buf, source.len)
            )
            return self._decode(&source, count)
        finally:
            PyBuffer_Release(&source)

    cdef object _decode(self, Py_buffer* source, Py_ssize_t room):
        cdef Py_buffer target
        cdef int count
        samples = _empty(room * self.config.format.channels, _INT16)
        PyObject_GetBuffer(samples, &target, PyBUF_WRITABLE)
        try:
            count = self.config.codec.decode(
                self.state, <const uint8_t*>source.buf, source.len, <int16_t*>target.buf, room
            )
        finally:
            PyBuffer_Release(&target)
        _checked(&self.config, count)
        return samples if count == room else samples[: count * self.config.format.channels].copy()

    def conceal(self, Py_ssize_t count, data=None):
        """Make up ``count`` samples per channel that did not come; ``data`` is the payload after them, if it is there."""
        cdef Py_buffer source, target
        cdef const uint8_t* after = NULL
        cdef int made
        if self.config.codec.conceal == NULL:
            raise CodecError(self.config.codec.name.decode(), "has no concealment of its own")
        if not 0 <= count <= CODEC_VALUES_MAX // self.config.format.channels:
            raise CodecError(self.config.codec.name.decode(), f"cannot conceal {count} samples at once")
        samples = _empty(count * self.config.format.channels, _INT16)
        PyObject_GetBuffer(b"" if data is None else data, &source, PyBUF_SIMPLE)
        PyObject_GetBuffer(samples, &target, PyBUF_WRITABLE)
        if data is not None:
            after = <const uint8_t*>source.buf
        try:
            made = self.config.codec.conceal(self.state, after, source.len, <int16_t*>target.buf, count)
        finally:
            PyBuffer_Release(&target)
            PyBuffer_Release(&source)
        _checked(&self.config, made)
        return samples[: made * self.config.format.channels]

    def reset(self):
        """Forget what came before."""
        self.config.codec.decoder_reset(self.state)

    def request(self):
        """The mode that the other end asked for since the last call; None: it did not."""
        cdef int mode = -1
        if self.config.codec.decoder_request != NULL:
            mode = self.config.codec.decoder_request(self.state)
        return None if mode < 0 else mode


cdef class Encoder:
    """Samples to payloads; remembers what came before, so each stream has its own."""

    def __cinit__(self, Config config not None):
        _refuse_missing(&config.value)
        self.config = config.value
        self.state = self.config.codec.encoder_create(&self.config)
        if self.state == NULL:
            raise MemoryError(f"no encoder of {config.name}")

    def __dealloc__(self):
        if self.state != NULL:
            self.config.codec.encoder_destroy(self.state)

    def encode(self, samples):
        """Turn whole frames into one payload; b"" when nothing is to be sent (a pause)."""
        cdef Py_buffer source
        if samples.dtype != _INT16 or samples.ndim != 1:
            raise TypeError(f"samples are one row of 16-bit integers, not {samples.ndim} of {samples.dtype}")
        PyObject_GetBuffer(samples if samples.flags.c_contiguous else samples.copy(order="C"), &source, PyBUF_SIMPLE)
        try:
            return self._encode(<const int16_t*>source.buf, source.len // 2)
        finally:
            PyBuffer_Release(&source)

    cdef object _encode(self, const int16_t* pcm, Py_ssize_t values):
        cdef codec_format* shape = &self.config.format
        cdef Py_ssize_t count = values // shape.channels, room = CODEC_PAYLOAD_MAX
        cdef int octets
        if values > _RECORDING_MAX:
            raise CodecError(self.config.codec.name.decode(), f"{values} samples are too many at once")
        if values % shape.channels or count % shape.frame_samples:
            _checked(&self.config, CODEC_NOT_WHOLE)
        if shape.frame_octets:
            room = count // shape.frame_samples * shape.frame_octets
        data = PyBytes_FromStringAndSize(NULL, room)
        octets = self.config.codec.encode(self.state, pcm, count, <uint8_t*>PyBytes_AS_STRING(data), room)
        _checked(&self.config, octets)
        return data if octets == room else data[:octets]

    def reset(self):
        """Forget what came before."""
        self.config.codec.encoder_reset(self.state)

    def tune(self, str what, int32_t value):
        """Change "mode", "bitrate" (bit/s) or "loss" (per cent) from the next frame on."""
        if what not in _TUNES:
            raise CodecError(self.config.codec.name.decode(), f"{what!r} is none of {', '.join(_TUNES)}")
        if self.config.codec.encoder_tune == NULL or self.config.codec.encoder_tune(self.state, _TUNES[what], value):
            raise CodecError(self.config.codec.name.decode(), f"cannot set {what} to {value}")


def _names():
    cdef int i = 0
    found = []
    while codec_all[i] != NULL:
        found.append(codec_all[i].name.decode())
        i += 1
    return tuple(sorted(found))


NAMES = _names()
