# cython: boundscheck=False, wraparound=False
"""What is done to samples; the C files in sound/ do the work."""

from libc.stdint cimport int16_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc

import numpy as np

cdef extern from "sound.h" nogil:
    enum:
        SOUND_MEMBERS_MAX
        NOISE_PAYLOAD_MAX
    struct agc_state "agc":
        pass
    struct vad_state "vad":
        float floor
    struct noise_state "noise":
        pass
    struct conceal_state "conceal":
        pass
    struct dtmf_state "dtmf":
        int hop
        char current
    void dtmf_init(dtmf_state*, int rate)
    size_t dtmf_run(dtmf_state*, const int16_t* pcm, size_t samples, char* keys, size_t room)
    void sound_mix(const int16_t* const* given, int16_t* const* out, size_t members, size_t samples)
    int sound_level(const int16_t* pcm, size_t samples)
    void sound_gain(int16_t* pcm, size_t samples, float* start, float gain)
    void agc_init(agc_state*, int target_level, float most)
    void agc_run(agc_state*, int16_t* pcm, size_t samples, int is_speech)
    void vad_init(vad_state*, int rate)
    int vad_run(vad_state*, const int16_t* pcm, size_t samples)
    size_t noise_describe(const int16_t* pcm, size_t samples, uint8_t* payload)
    void noise_init(noise_state*, uint32_t seed)
    int noise_set(noise_state*, const uint8_t* payload, size_t octets)
    void noise_run(noise_state*, int16_t* pcm, size_t samples)
    void conceal_init(conceal_state*, int rate)
    void conceal_good(conceal_state*, int16_t* pcm, size_t samples)
    void conceal_lost(conceal_state*, int16_t* pcm, size_t samples)

__all__ = ["Concealer", "DtmfDetector", "GainControl", "NoiseGenerator", "VoiceDetector", "amplify", "describe_noise", "level", "mix"]

cdef object _INT16 = np.dtype(np.int16)
cdef Py_ssize_t _MOST = 1 << 20  # samples at once


cdef int _checked_rate(int rate) except -1:
    if not 8000 <= rate <= 48000 or rate % 8000:
        raise ValueError(f"a sample rate of {rate} is not 8000, 16000, 24000, 32000, 40000 or 48000")
    return rate


cdef Py_ssize_t _checked_count(Py_ssize_t count) except -1:
    if not 0 <= count <= _MOST:
        raise ValueError(f"{count} samples at once are not between 0 and {_MOST}")
    return count


def mix(samples):
    """Return, for each row of ``samples`` (members x time, int16), the saturated sum of all the others."""
    cdef const int16_t[:, ::1] given = samples
    cdef size_t members = <size_t>given.shape[0], count = <size_t>given.shape[1]
    if members > SOUND_MEMBERS_MAX:
        raise ValueError(f"{members} members are more than {SOUND_MEMBERS_MAX}")
    result = np.empty((members, count), _INT16)
    if not members or not count:
        return result
    cdef int16_t[:, ::1] out = result
    cdef const int16_t** sources = <const int16_t**>malloc(members * 2 * sizeof(void*))
    if sources is NULL:
        raise MemoryError
    cdef int16_t** targets = <int16_t**>(sources + members)
    cdef size_t i
    with nogil:
        for i in range(members):
            sources[i], targets[i] = &given[i, 0], &out[i, 0]
        sound_mix(sources, targets, members, count)
        free(sources)
    return result


def level(samples):
    """The level in dB below full scale: 0 to 127, which is silence; RFC 6464."""
    cdef const int16_t[::1] pcm = samples
    return sound_level(&pcm[0], pcm.shape[0]) if pcm.shape[0] else 127


def amplify(samples, float decibels):
    """Return the samples louder by so many dB, saturated."""
    result = np.array(samples, _INT16)
    cdef int16_t[::1] pcm = result
    cdef float gain = 10.0 ** (min(max(decibels, -127.0), 127.0) / 20)
    cdef float start = gain
    if pcm.shape[0]:
        sound_gain(&pcm[0], pcm.shape[0], &start, gain)
    return result


def describe_noise(samples):
    """The payload of comfort noise that sounds like these samples; RFC 3389."""
    cdef const int16_t[::1] pcm = samples
    cdef uint8_t payload[NOISE_PAYLOAD_MAX]
    cdef size_t octets
    if not _checked_count(pcm.shape[0]):
        return b"\x7f"
    octets = noise_describe(&pcm[0], pcm.shape[0], payload)
    return payload[:octets]


cdef class GainControl:
    """Brings speech to ``target`` dB below full scale, by at most ``most`` dB either way."""

    cdef agc_state _state

    def __cinit__(self, int target=20, float most=20.0):
        if not 0 <= target <= 127:
            raise ValueError(f"target is {target}, not between 0 and 127")
        if not 0 <= most <= 60:
            raise ValueError(f"most is {most}, not between 0 and 60")
        agc_init(&self._state, target, 10.0 ** (most / 20))

    def process(self, samples, bint is_speech=True):
        """Return a frame (about 20 ms) at the new level; only speech is measured."""
        result = np.array(samples, _INT16)
        cdef int16_t[::1] pcm = result
        if pcm.shape[0]:
            agc_run(&self._state, &pcm[0], pcm.shape[0], is_speech)
        return result


cdef class VoiceDetector:
    """Tells speech from what is there in pauses, frame by frame (10 to 60 ms)."""

    cdef vad_state _state

    def __cinit__(self, int rate=8000):
        vad_init(&self._state, _checked_rate(rate))

    def is_speech(self, samples):
        """Whether there is speech in the frame, or was within 200 ms."""
        cdef const int16_t[::1] pcm = samples
        return bool(_checked_count(pcm.shape[0]) and vad_run(&self._state, &pcm[0], pcm.shape[0]))

    @property
    def floor(self):
        """The level of pauses, in dB below full scale."""
        return -self._state.floor


cdef class NoiseGenerator:
    """Comfort noise as the other end describes it; RFC 3389. Silence before the first payload."""

    cdef noise_state _state

    def __cinit__(self, uint32_t seed=1):
        noise_init(&self._state, seed)

    def receive(self, const uint8_t[::1] payload not None):
        """Take a payload; False says that it was empty."""
        return payload.shape[0] > 0 and noise_set(&self._state, &payload[0], payload.shape[0]) == 0

    def next(self, Py_ssize_t count):
        """Return so many samples."""
        result = np.empty(_checked_count(count), _INT16)
        cdef int16_t[::1] pcm = result
        if count:
            noise_run(&self._state, &pcm[0], count)
        return result


cdef class Concealer:
    """Guesses what did not come, by the pitch of what came before; after ITU-T G.711 Appendix I."""

    cdef conceal_state* _state

    def __cinit__(self, int rate=8000):
        _checked_rate(rate)
        self._state = <conceal_state*>malloc(sizeof(conceal_state))
        if self._state is NULL:
            raise MemoryError
        conceal_init(self._state, rate)

    def __dealloc__(self):
        free(self._state)

    def receive(self, samples):
        """Return what came, its beginning blended with what was guessed before."""
        result = np.array(samples, _INT16)
        cdef int16_t[::1] pcm = result
        if pcm.shape[0]:
            conceal_good(self._state, &pcm[0], pcm.shape[0])
        return result

    def conceal(self, Py_ssize_t count):
        """Return ``count`` guessed samples; silence after 60 ms."""
        result = np.empty(_checked_count(count), _INT16)
        cdef int16_t[::1] pcm = result
        if count:
            conceal_lost(self._state, &pcm[0], count)
        return result


cdef class DtmfDetector:
    """Hears keys in the sound; ITU-T Q.24."""

    cdef dtmf_state* _state

    def __cinit__(self, int rate=8000):
        _checked_rate(rate)
        self._state = <dtmf_state*>malloc(sizeof(dtmf_state))
        if self._state is NULL:
            raise MemoryError
        dtmf_init(self._state, rate)

    def __dealloc__(self):
        free(self._state)

    @property
    def current(self):
        """The key that is down, or an empty string."""
        return chr(self._state.current) if self._state.current else ""

    def process(self, samples):
        """Return the keys that began in these samples; each is said once, some 40 ms after its beginning."""
        cdef const int16_t[::1] pcm = samples
        cdef char keys[256]
        cdef Py_ssize_t at = 0, count = _checked_count(pcm.shape[0]), step = 200 * self._state.hop
        cdef size_t found
        heard = b""
        while at < count:
            found = dtmf_run(self._state, &pcm[at], min(step, count - at), keys, sizeof(keys))
            heard += keys[:found]
            at += step
        return heard.decode("ascii")
