# What Dialog holds in C; dialog.py runs without.

cimport cython

from .message cimport Message, Request

cdef class Dialog:
    cdef public str call_id, local, remote, local_tag, remote_tag, target
    cdef public tuple route_set
    cdef public long long local_cseq, remote_cseq
    cdef public bint is_agreed
    cdef public object offered, asked

    cpdef share(self, str call_id, str local_tag)
    cpdef succeed(self, Dialog early)
    cpdef refresh(self, Message message)
    cpdef long long next_cseq(self)
    @cython.locals(request=Request)
    cpdef Request request(self, str method, long long number, headers=*, bytes body=*)
    cpdef tuple _route(self)
