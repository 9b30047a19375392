# What MediaPlane holds in C; plane.py runs without.

import cython

from ._engine cimport Engine
from .ports cimport Pair, Ports
from .quality.observer cimport Observer
from .rules cimport Rules
from .session cimport MediaSession

cdef class MediaPlane:
    cdef public Engine engine
    cdef public object config, sounds, clips, music, now, captures, kernel, gathering, guard
    cdef public Observer observer
    cdef readonly Rules rules
    cdef public int session_count
    cdef public str gathering_reason, kernel_reason
    cdef public bint is_raw
    cdef public object public_for
    cdef object _local_for, _on_timeout, _max_pairs, _loop, _tidying
    cdef double _tick, _quarantine
    cdef readonly Ports _ports
    cdef unsigned int _last_number
    cdef set _converting

    cpdef tuple convertible(self, MediaSession session)
    cpdef note_conversion(self, MediaSession session, bint is_converted)
    cpdef MediaSession session(self, str key)
    cpdef tuple hosts_for(self, str toward)
    @cython.locals(local=str)
    cpdef tuple _route_to(self, str host)
    cpdef Pair take(self, MediaSession session, str host)
    cpdef give_back(self, Pair pair)
    cpdef forget(self, MediaSession session)

cdef unsigned int _LAST
