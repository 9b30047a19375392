# What Ledger holds in C; ledger.py runs without.

from switchroom.protocols.sip.message cimport Request

from .call cimport Call

cdef class Ledger:
    cdef public object records
    cdef public long long started
    cdef public dict ended
    cdef object _clock, _log

    cpdef open(self, Request request, caller, str number, str shown, plan, double now)
    cpdef refused(self, record, int status, str reason, plan, str why)
    cpdef served(self, record, str verdict)
    cpdef over(self, Call call, int cause, str reason, str ended_by, double now)
    cpdef _close(self, record, int cause, str reason, str ended_by)
