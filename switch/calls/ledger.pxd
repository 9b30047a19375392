# What Ledger holds in C; ledger.py runs without.

cdef class Ledger

from switchroom.protocols.sip.message cimport Request

from switchroom.switch.net.clock cimport Clock
from switchroom.switch.store.record cimport Record

from .call cimport Call

cdef class Ledger:
    cdef public object records
    cdef public long long started
    cdef public dict ended
    cdef Clock _clock
    cdef object _log

    cpdef open(self, Request request, caller, str number, str shown, plan, double now)
    cpdef refused(self, Record record, int status, str reason, plan, str why)
    cpdef served(self, Record record, str verdict)
    cpdef over(self, Call call, int cause, str reason, str ended_by, double now)
    cpdef _close(self, Record record, int cause, str reason, str ended_by)
