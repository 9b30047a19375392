# What Turn holds in C; turn.py runs without.

cimport cython

from switchroom.protocols.sip.endpoint cimport Endpoint
from switchroom.protocols.sip.flow cimport Flow

from .flows cimport Flows

cdef class Turn:
    cdef public object trace, connections
    cdef public bint is_open, is_running
    cdef Endpoint _endpoint
    cdef object _on_event, _on_flow_failed, _bus, _faults, _clock, _timer
    cdef tuple _timers
    cdef Flows _flows
    cdef double _timer_at

    cpdef begin(self)
    cpdef take(self, bytes data, Flow flow, double now)
    cpdef take_message(self, message, Flow flow, double now)
    cpdef show(self, bytes data, Flow flow)
    cpdef tell(self, double now)
    cpdef fail(self, list failures, double now)
    cpdef flush(self)
    cpdef finish(self, double now)
    @cython.locals(datagrams=list, failures=list, item=tuple)
    cpdef list _send(self)
    cpdef _arm(self)
