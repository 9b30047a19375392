# What the observer remembers is held in C; observer.py runs without.

import cython

cdef class Watch:
    cdef readonly double began_at
    cdef public tuple ears, present, troubles

    cpdef bint is_quiet(self)
    cpdef tuple texts(self, double now)

cdef class Observer:
    cdef public object log
    cdef public dict counts
    cdef object _plane, _clock, _timer, _loop
    cdef double _slot
    cdef list _slots
    cdef int _turn

    @cython.locals(slot=set)
    cpdef Watch begin(self, session, unsigned int number)
    @cython.locals(slot=set)
    cpdef end(self, session, unsigned int number, Watch watch)

cdef int _SLOTS
