# What Trunks holds in C; trunks.py runs without.

from switchroom.protocols.sip.flow cimport Flow

from .trunk cimport Trunk

cdef class Trunks:
    cdef object _means
    cdef dict _trunks, _names
    cdef readonly dict _of_host
    cdef list _leaving, _sources, _registering
    cdef readonly bint has_names
    cdef bint _is_running, _has_guests

    cpdef Trunk get(self, str name)
    cpdef Trunk identify(self, Flow flow, request, double now, peer_names=*)
    cpdef bint is_source(self, str host)
    cpdef tuple _at(self, str host)
