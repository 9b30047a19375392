# What Turn holds in C; turn.py runs without.

cimport cython

from switchroom.protocols.sip.endpoint cimport Endpoint
from switchroom.protocols.sip.flow cimport Flow

from .clock cimport Clock
from .flows cimport Flows
from .tap cimport Tap

cdef class Turn:
    cdef public Tap tap
    cdef public object connections
    cdef public bint is_open, is_running
    cdef bint _is_alone
    cdef Endpoint _endpoint
    cdef object _on_event, _on_flow_failed, _bus, _faults, _timer
    cdef Clock _clock
    cdef tuple _timers, _next_timers
    cdef Flows _flows
    cdef double _timer_at

    cpdef begin(self)
    cpdef take(self, bytes data, Flow flow, double now)
    cpdef take_message(self, message, Flow flow, double now)
    cpdef show(self, bytes data, Flow flow, double now)
    cpdef tell(self, double now)
    cpdef fail(self, list failures, double now)
    cpdef flush(self)
    cpdef finish(self, double now)
    @cython.locals(datagrams=list, failures=list, item=tuple)
    cpdef list _send(self, double now)
    cpdef _arm(self)
