# What Rules holds in C; rules.py runs without.

cdef class Rules:
    cdef readonly str address
    cdef readonly tuple converted
    cdef readonly int max_converted, dscp, traffic_class
    cdef readonly double first_rtp_timeout, rtp_timeout
