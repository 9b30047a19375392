# What Transaction holds in C; transaction.py runs without.

from .core cimport Core, Filed
from .flow cimport Flow
from .message cimport Request

cdef double _NEVER

cdef class Transaction(Filed):
    cdef public Core core
    cdef public Request request
    cdef public object state, context
    cdef public bytes data
    cdef public double interval, resend_at, give_up_at

    cpdef _prepare(self, Core core, str key, Request request, Flow flow, state)
    cpdef handle_timer(self, double now)
    cpdef _arm(self, double now)
    cpdef _send_again(self, double now)
    cpdef _on_give_up(self, double now)
