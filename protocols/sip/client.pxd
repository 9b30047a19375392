# What client transactions hold in C; client.py runs without.

cimport cython

from .core cimport Core
from .flow cimport Flow
from .message cimport Request, Response
from .transaction cimport Transaction

cdef double _NEVER

cdef class ClientTransaction(Transaction):
    cdef public Flow _fallback
    cdef public int attempts
    cdef public str branch, sent_by
    cdef public object owner

    cpdef _open(self, Core core, Request request, Flow flow, double now, owner, str branch, state)
    cpdef _start(self, double now)
    cpdef bytes _move_to_stream(self)
    cpdef _fall_back(self, double now)
    cpdef bytes _change_via(self)
    cpdef receive(self, Response response, double now)
    cpdef on_flow_failed(self, str reason, double now)
    cpdef renew(self, Request request, double now)
    cpdef _begin_again(self, Request request, state, double now)
    cpdef abandon(self)
    cpdef _fail(self, str reason, double now)

@cython.locals(transaction=ClientTransaction)
cpdef ClientTransaction open_request(Core core, Request request, Flow flow, double now, owner)

cdef class InviteClient(ClientTransaction):
    cdef public double _expire_at
    cdef public object inviter
    cdef public bint is_cancelled
    cdef public str to_tag

    cpdef _invite(self, Core core, Request request, Flow flow, double now, inviter)
    cpdef _enter(self, state, Response response, double now)
    cpdef _acknowledge_failure(self, Response response, double now)
    cpdef acknowledged(self, bytes ack, double now)
    cpdef cancel(self, double now, headers)

@cython.locals(invite=InviteClient)
cpdef InviteClient open_invite(Core core, Request request, Flow flow, double now, inviter)
