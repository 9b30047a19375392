# What Addresses holds in C; addresses.py runs without.

cdef class Addresses:
    cdef object _clock, _routes, _cache, _monitor, _readiness, _log
    cdef double _max_age, _forget_at
    cdef dict _present
    cdef public list on_change, on_reroute
    cdef public str public
    cdef public long long misses

    cpdef str local_for(self, str remote_host)
    cpdef bint is_local(self, str host)
    cpdef _find(self, str host)
