# What Pair and Ports hold in C; ports.py runs without.

import cython

cdef class Pair:
    cdef readonly unsigned int index
    cdef public unsigned int generation
    cdef readonly str host
    cdef readonly int port
    cdef public double released_at

cdef class _Host:
    cdef readonly object fresh, resting
    cdef readonly set again

cdef class Ports:
    cdef readonly int in_use
    cdef public int dscp
    cdef object _sockets, _range, _now
    cdef double _quarantine
    cdef list _indexes
    cdef readonly dict _hosts
    cdef unsigned int _generation
    cdef double _asked_at

    cpdef Pair take(self, str host)
    cpdef Pair _use(self, Pair pair)
    cpdef give_back(self, Pair pair)
    @cython.locals(first=Pair, rested_at=double)
    cpdef Pair _rested(self, _Host ports)

cdef unsigned int _LAST
