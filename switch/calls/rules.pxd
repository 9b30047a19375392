# What Caller holds in C; rules.py runs without.

cdef class Caller:
    cdef readonly str account, number
    cdef readonly object user, trunk
