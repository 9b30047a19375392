# What Dialog holds in C; dialog.py runs without.

cimport cython

from .message cimport Message, Request, Response

cdef class Dialog:
    cdef public str call_id, local, remote, local_tag, remote_tag, target
    cdef public tuple route_set
    cdef public long long local_cseq, remote_cseq
    cdef public bint is_agreed
    cdef public object offered, asked

    cpdef _begin(
        self, str call_id, str local, str remote, str local_tag, str remote_tag, str target, tuple route_set,
        long long local_cseq, long long remote_cseq
    )
    cpdef share(self, str call_id, str local_tag)
    cpdef succeed(self, Dialog early)
    cpdef refresh(self, Message message)
    cpdef long long next_cseq(self)
    @cython.locals(request=Request)
    cpdef Request request(self, str method, long long number, headers=*, bytes body=*)
    cpdef tuple _route(self)

@cython.locals(dialog=Dialog)
cpdef Dialog dialog_of_caller(Response response, fallback)
@cython.locals(dialog=Dialog, target=str)
cpdef Dialog dialog_of_callee(Request request, str local_tag)
