# What the classes of plan.py hold in C; the same module runs without.

cimport cython

@cython.no_gc  # nothing of a plan refers to it
@cython.freelist(64)
cdef class Inquiry:
    cdef readonly str caller, called, source, shown
    cdef readonly double at, chance
    cdef readonly tuple forwarders

    cpdef Inquiry forwarded(self, str user, str called, str shown=*)

@cython.no_gc
@cython.freelist(64)
cdef class Leap:
    cdef readonly object destination, price
    cdef readonly str called, caller
    cdef readonly tuple headers

    cpdef tuple _parts(self)
    cpdef Leap with_headers(self, tuple headers)

@cython.no_gc
@cython.freelist(64)
cdef class Step:
    cdef readonly tuple leaps
    cdef readonly object ring_time, continue_on
    cdef readonly bint is_recorded

    cpdef bint is_final(self, int status)

@cython.no_gc
@cython.freelist(64)
cdef class Plan:
    cdef readonly Inquiry inquiry
    cdef readonly tuple steps
    cdef readonly int status
    cdef readonly str reason
    cdef readonly bint is_emergency, is_recorded
    cdef public tuple told
    cdef public object search, diversion

    cpdef tuple tell(self)
    @cython.locals(step=Step)
    cpdef settle(self)
