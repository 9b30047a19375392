# What server transactions hold in C; server.py runs without.

cimport cython

from .core cimport Core
from .flow cimport Flow
from .message cimport Request
from .transaction cimport Transaction

cdef double _NEVER

cdef class ServerTransaction(Transaction):
    cdef public str to_tag

    cpdef _start(self, double now)
    cpdef respond(self, int status, double now, str reason=*, headers=*, bytes body=*)
    cpdef receive_again(self)
    cpdef on_flow_failed(self, str reason, double now)

cdef class InviteServer(ServerTransaction):
    cdef public object invitee

    cpdef _take(self, Core core, str key, Request request, Flow flow, double now, str to_tag, invitee)
    cpdef send_response(self, int status, bytes data, double now)
    cpdef receive_ack(self, Request request, double now)
    cpdef settle(self, double now)
    cpdef receive_cancel(self, Request request, double now)

cpdef respond_at_once(
    Core core, str key, Request request, Flow flow, double now, int status, str to_tag, headers=*, str reason=*
)

@cython.locals(invite=InviteServer)
cpdef InviteServer take_invite(
    Core core, str key, Request request, Flow flow, double now, str to_tag, invitee
)
