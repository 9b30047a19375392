# What Limiter holds in C; log.py runs without.

cdef class Limiter:
    cdef public object max_rate
    cdef object _clock
    cdef dict _kinds

    cpdef bint keeps_back(self, str event)
