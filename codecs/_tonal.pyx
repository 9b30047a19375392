# cython: boundscheck=False, wraparound=False
"""Whether a piece of sound is a tone; tonal_core.c does the work."""

from libc.stdint cimport int16_t
from libc.stdlib cimport free, malloc

cdef extern from "tonal.h" nogil:
    enum: TONAL_SIZE
    struct tonal_state "tonal":
        pass
    void tonal_init(tonal_state*)
    float tonal_look(const tonal_state*, const int16_t* pcm)

__all__ = ["SIZE", "Lens"]

SIZE = TONAL_SIZE


cdef class Lens:
    """Looks at 40 ms of mono sound at 8 kHz."""

    cdef tonal_state* _state

    def __cinit__(self):
        self._state = <tonal_state*>malloc(sizeof(tonal_state))
        if self._state is NULL:
            raise MemoryError
        tonal_init(self._state)

    def __dealloc__(self):
        free(self._state)

    def look(self, samples):
        """The frequency of a tone in Hz, of a pair the lower one; 0 for silence, -1 for anything else."""
        cdef const int16_t[::1] given = samples
        if given.shape[0] != TONAL_SIZE:
            raise ValueError(f"{given.shape[0]} samples are not {TONAL_SIZE}")
        return tonal_look(self._state, &given[0])
