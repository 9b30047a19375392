# What Clock holds in C; clock.py runs without.

cdef class Clock:
    cdef object _monotonic
    cdef double _instant, _posix
    cdef public object now, wall

    cpdef utc(self, double now)
    cpdef double posix(self, double now)
