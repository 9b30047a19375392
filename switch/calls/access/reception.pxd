# What the reception holds in C; reception.py runs without.

cdef class Reception

from switchroom.protocols.sip.endpoint cimport Endpoint
from switchroom.protocols.sip.events cimport RequestReceived
from switchroom.protocols.sip.inspection cimport inspect_request
from switchroom.protocols.sip.message cimport Request
from switchroom.switch.calls.exchange cimport Exchange
from switchroom.switch.calls.registration.registrar cimport Registrar

from switchroom.switch.calls.trunks.trunks cimport Trunks

from .auth cimport Authenticator
from .proportion cimport Proportion

import cython

cdef class Reception:
    cdef dict _on_method
    cdef tuple _methods
    cdef public object strangers, elsewhere, on_other_worker
    cdef readonly Proportion proportion
    cdef Exchange _exchange
    cdef object _peer_names
    cdef Endpoint _endpoint
    cdef Registrar _registrar
    cdef Authenticator _authenticator

    cpdef attend(self, str method, handler)
    @cython.locals(request=Request)
    cpdef receive(self, RequestReceived event, double now)
    cpdef _inspect(self, Request request)
    cpdef _register(self, RequestReceived event, caller, double now)
    cpdef bint _is_shed(self, RequestReceived event, double now) except -1
    @cython.locals(request=Request, trunks=Trunks)
    cpdef _identify(self, RequestReceived event, double now)
    cpdef _options(self, RequestReceived event, double now)
    cpdef _answer_stranger(self, RequestReceived event, int status, headers, double now, int least=*)
