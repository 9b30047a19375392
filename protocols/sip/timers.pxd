# What Timers holds in C; timers.py runs without.

cdef class Timers:
    cdef readonly double t1, t2, t4, c, invite_lifetime, ring_interval, timeout, d
