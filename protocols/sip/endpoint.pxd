# The methods of Endpoint that are called in C; endpoint.py runs without.

from .client cimport ClientTransaction
from .core cimport Core
from .message cimport Message, Request, Response

cdef class Endpoint(Core):
    cpdef receive_datagram(self, bytes data, flow, double now)
    cpdef receive_message(self, Message message, flow, double now)
    cpdef bytes _receive_keepalive(self, bytes data, flow)
    cpdef _receive_stun(self, bytes data, flow)
    cpdef _receive_request(self, Request request, flow, double now)
    cpdef _receive_ack(self, Request request, known, double now)
    cpdef _receive_new(self, Request request, flow, str key, double now)
    cpdef _receive_inside(self, Request request, flow, str key, double now)
    cpdef _refuse_overload(self, Request request, flow)
    cpdef _find_session(self, Request request)
    cpdef _receive_cancel(self, Request request, flow, str key, double now)
    cpdef _receive_response(self, Response response, flow, double now)
    cpdef _receive_awaited(self, ClientTransaction known, Response response, str method, double now)
    cpdef _receive_late(self, tuple grave, str branch, Response response, flow, double now)
    cpdef next_event(self)
    cpdef bint _is_new(self, event)
    cpdef _claim(self, event, double now)

cpdef str sent_by(via)
cpdef stamp(Request request, flow)
cpdef str transaction_key(Request request)
