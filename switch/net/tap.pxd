# What Tap holds in C; tap.py runs without.

from switchroom.protocols.sip.flow cimport Flow

cdef class Tap:
    cpdef came(self, bytes data, Flow flow, double now)
    cpdef left(self, list messages, double now)
