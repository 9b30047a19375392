# What Ledger holds in C; ledger.py runs without.

cdef class Ledger

cimport cython
from switchroom.protocols.sip.message cimport Request

from switchroom.switch.media.report cimport MediaReport
from switchroom.switch.net.clock cimport Clock
from switchroom.switch.store.record cimport Record

from . cimport verdict
from .call cimport Call
from .routing.plan cimport Leap, Plan, Step
from .rules cimport Caller

cdef class Ledger:
    cdef public object records
    cdef public long long started
    cdef public dict ended
    cdef Clock _clock
    cdef object _log

    @cython.locals(step=Step, leap=Leap)
    cpdef Record open(self, Request request, Caller caller, str number, str shown, Plan plan, double now)
    cpdef refused(self, Record record, int status, str reason, Plan plan, str why)
    cpdef served(self, Record record, str verdict)
    @cython.locals(report=MediaReport)
    cpdef over(self, Call call, int cause, str reason, str ended_by, double now)
    cpdef _close(self, Record record, int cause, str reason, str ended_by)
