# What Ring holds in C; ring.py runs without.

cimport cython

from switchroom.protocols.sip.flow cimport Flow

from switchroom.switch.net.tap cimport Tap

cdef Py_ssize_t _OVERHEAD
cdef Flow _NOWHERE

cdef class Ring(Tap):
    cdef list _times, _directions, _messages, _flows
    cdef Py_ssize_t _first
    cdef double _last_at
    cdef public Py_ssize_t size, max_octets, octets, count, forgotten
    cdef public object records

    cpdef came(self, bytes data, Flow flow, double now)
    @cython.locals(data=bytes, flow=Flow)
    cpdef left(self, list messages, double now)
    cpdef link(self, str sip_call_id, str record_id)
    cdef _put(self, str direction, bytes data, Flow flow, double now)
    @cython.locals(first=Py_ssize_t, messages=list, flows=list, data=bytes)
    cpdef _shrink(self)
