# What is kept of proportions in C; proportion.py runs without.

from switchroom.protocols.sip.events cimport RequestReceived

cdef class Proportion:
    cdef public double factor
    cdef public long long unanswered
    cdef object _is_known

    cpdef fit(self, RequestReceived event, int status, headers, int least)
