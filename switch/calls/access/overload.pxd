# What Overload holds in C; overload.py runs without.

from switchroom.switch.calls.rules cimport OverloadRules

cdef class Overload:
    cdef public OverloadRules rules
    cdef readonly double share
    cdef public long long refused, dropped
    cdef double _worst, _next_at, _credit
    cdef bint _was_late
    cdef readonly bint is_silent

    cpdef note_lag(self, double lag, double now)
    cpdef bint sheds(self, Py_ssize_t setups) except -1
