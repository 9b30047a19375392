# What MediaPlane holds in C; plane.py runs without.

from .ports cimport Pair, Ports
from .quality.observer cimport Observer
from .rules cimport Rules
from .session cimport MediaSession

cdef class MediaPlane:
    cdef public object config, engine, sounds, clips, music, now, captures, kernel, gathering, guard
    cdef public Observer observer
    cdef readonly Rules rules
    cdef public int session_count
    cdef public str gathering_reason, kernel_reason
    cdef public bint is_raw
    cdef object _local_for, _public_for, _on_timeout, _max_pairs, _loop, _tidying
    cdef double _tick, _quarantine
    cdef readonly Ports _ports
    cdef readonly dict _users
    cdef unsigned int _last_number
    cdef set _converting

    cpdef tuple convertible(self, MediaSession session)
    cpdef note_conversion(self, MediaSession session, bint is_converted)
    cpdef MediaSession session(self, str key)
    cpdef tuple hosts_for(self, str toward)
    cpdef Pair take(self, MediaSession session, str host)
    cpdef give_back(self, Pair pair)
    cpdef forget(self, MediaSession session)

cdef unsigned int _LAST
