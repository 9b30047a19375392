# What Addresses holds in C; addresses.py runs without.

cimport cython

from .clock cimport Clock
from .limits cimport Recent

cdef class Route:
    cdef readonly str source
    cdef readonly bint is_local

cdef class Addresses:
    cdef Clock _clock
    cdef Recent _cache
    cdef object _routes, _monitor, _readiness, _log
    cdef double _max_age, _forget_at
    cdef dict _present
    cdef public list on_change, on_reroute
    cdef public str public
    cdef public long long misses

    cpdef str local_for(self, str remote_host)
    cpdef bint is_local(self, str host)
    @cython.locals(route=Route)
    cpdef Route _find(self, str host)
