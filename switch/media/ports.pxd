# What Pair and Ports hold in C; ports.py runs without.

import cython

from ._engine cimport Engine

cdef class Pair:
    cdef readonly unsigned int index
    cdef public unsigned int generation
    cdef readonly str host
    cdef readonly int port
    cdef public double released_at
    cdef public object user

cdef class _Host:
    cdef readonly object fresh, resting
    cdef readonly set again

cdef class Ports:
    cdef readonly int in_use
    cdef public int dscp
    cdef Engine _sockets
    cdef object _range, _now
    cdef double _quarantine
    cdef list _indexes, _pairs
    cdef readonly dict _hosts
    cdef unsigned int _generation
    cdef double _asked_at

    @cython.locals(pair=Pair)
    cpdef object user_of(self, Py_ssize_t index)
    @cython.locals(ports=_Host)
    cpdef Pair take(self, str host, user=*)
    cpdef Pair _opened(self, str host, int port)
    cpdef Pair _use(self, Pair pair, user)
    @cython.locals(ports=_Host)
    cpdef give_back(self, Pair pair)
    @cython.locals(first=Pair, rested_at=double)
    cpdef Pair _rested(self, _Host ports)

cdef unsigned int _LAST
