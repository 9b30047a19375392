# What Clock holds in C; clock.py runs without.

cdef class Clock:
    cdef object _monotonic, _wall
    cdef public object now

    cpdef utc(self, double now)
    cpdef double posix(self, double now)
