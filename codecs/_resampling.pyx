# cython: boundscheck=False, wraparound=False
"""Streams at another sample rate; resampling_core.c does the work."""

from libc.stdint cimport int16_t

import numpy as np

cdef extern from "resampling.h" nogil:
    struct resampler:
        pass
    resampler* resampler_create(int rate, int to_rate, int sharp)
    void resampler_destroy(resampler*)
    void resampler_reset(resampler*)
    int resampler_delay(const resampler*)
    void resampler_align(resampler*)
    int resampler_room(const resampler*, int count)
    int resampler_run(resampler*, const int16_t* samples, int count, int16_t* out)

__all__ = ["Resampler"]

cdef object _INT16 = np.dtype(np.int16)


cdef class Resampler:
    """One mono stream from ``rate`` to ``to_rate`` (Hz); what comes out lags ``delay`` seconds behind.

    A ``sharp`` filter lets nothing through at the lower Nyquist frequency and above, for twice the delay; the
    other one folds what lies up to 10 % above it into the 10 % below. Raises ValueError for rates without a ratio.
    """

    cdef resampler* _state
    cdef readonly int rate
    cdef readonly int to_rate

    def __cinit__(self, int rate, int to_rate, *, bint sharp=False):
        if rate <= 0 or to_rate <= 0:
            raise ValueError(f"sample rates are positive, not {rate} and {to_rate}")
        self.rate, self.to_rate = rate, to_rate
        self._state = resampler_create(rate, to_rate, sharp)
        if self._state is NULL:
            raise ValueError(f"sample rates need a small ratio, which {rate} and {to_rate} have not")

    def __dealloc__(self):
        resampler_destroy(self._state)

    @property
    def delay(self):
        """Seconds that the output lags behind the input."""
        return resampler_delay(self._state) / self.rate

    def process(self, samples):
        """Return what follows in the other rate (int16 in, int16 out)."""
        cdef const int16_t[::1] source = samples
        if source.shape[0] > 1 << 24:
            raise ValueError(f"at most {1 << 24} samples at once, not {source.shape[0]}")
        cdef int count = <int>source.shape[0]
        result = np.empty(resampler_room(self._state, count), _INT16)
        cdef int16_t[::1] target = result
        cdef int produced = 0
        if count:
            with nogil:
                produced = resampler_run(self._state, &source[0], count, &target[0])
        return result[:produced]

    def align(self):
        """Leave the lag out: the next sample out belongs to the next one in; only before any went in."""
        resampler_align(self._state)

    def reset(self):
        """Forget what came before."""
        resampler_reset(self._state)
