# The methods of Endpoint that are called in C; endpoint.py runs without.

cimport cython

from .callee cimport Callee
from .caller cimport Caller
from .client cimport ClientTransaction, open_request
from .core cimport Core, Usage, reply_flow
from .events cimport RequestReceived
from .flow cimport Flow
from .message cimport Message, Request, Response, parse
from .server cimport InviteServer, ServerTransaction, respond_at_once
from .session cimport Session

cdef class Endpoint(Core):
    cpdef receive_datagram(self, bytes data, Flow flow, double now)
    cpdef receive_message(self, Message message, Flow flow, double now)
    cpdef bytes _receive_keepalive(self, bytes data, Flow flow)
    cpdef _receive_stun(self, bytes data, Flow flow)
    cpdef _receive_request(self, Request request, Flow flow, double now)
    @cython.locals(session=Usage)
    cpdef _receive_ack(self, Request request, known, double now)
    cpdef _receive_new(self, Request request, Flow flow, str key, double now)
    @cython.locals(session=Usage)
    cpdef _receive_inside(self, Request request, Flow flow, str key, double now)
    cpdef _refuse_overload(self, Request request, Flow flow)
    @cython.locals(session=Usage)
    cpdef Usage _find_session(self, Request request)
    cpdef _receive_cancel(self, Request request, Flow flow, str key, double now)
    cpdef _receive_response(self, Response response, Flow flow, double now)
    cpdef _receive_awaited(self, ClientTransaction known, Response response, str method, double now)
    cpdef _receive_late(self, tuple grave, str branch, Response response, Flow flow, double now)
    cpdef next_event(self)
    cpdef bint _is_new(self, RequestReceived event)
    cpdef reply(
        self, RequestReceived event, int status, double now, str reason=*, headers=*, bytes body=*
    )
    cpdef respond(self, RequestReceived event, int status, double now, str reason=*, headers=*)
    cpdef ServerTransaction begin(self, RequestReceived event, double now)
    @cython.locals(session=Callee)
    cpdef Session accept(self, RequestReceived event, double now, str contact, timing=*)
    cpdef ClientTransaction send_request(self, Request request, Flow flow, double now, authorizer=*)
    @cython.locals(session=Caller)
    cpdef Session invite(self, Request request, Flow flow, double now, timing=*)
    cpdef _claim(self, RequestReceived event, double now)
    cpdef on_response(self, transaction, Response response, double now)
    cpdef on_failure(self, transaction, str reason, double now)

