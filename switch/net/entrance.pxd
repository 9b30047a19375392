# What Entrance holds in C; entrance.py runs without.

cimport cython

from switchroom.protocols.sip.endpoint cimport Endpoint
from switchroom.protocols.sip.flow cimport Flow

from .clock cimport Clock
from .flows cimport Flows
from .limits cimport Limiter, NetCounters, Recent
from .turn cimport Turn

cdef class Entrance:
    cdef Endpoint _endpoint
    cdef Turn _turn
    cdef Flows _flows
    cdef object _bus, _owners, _limits, _faults, _is_trusted, _is_exempt
    cdef Clock _clock
    cdef NetCounters _counters
    cdef Limiter _limiter
    cdef object _refusals, _backlog
    cdef Recent _refused
    cdef bint _is_serving, _is_alone
    cdef Py_ssize_t _largest

    cpdef receive_datagrams(self, list batch)
    @cython.locals(data=bytes, flow=Flow)
    cpdef _judge(self, list batch, double now)
    cpdef _take(self, bytes data, Flow flow, double now)
