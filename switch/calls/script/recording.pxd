# What CallRecordings holds in C; recording.py runs without.

cimport cython

from switchroom.switch.calls.call cimport Call
from switchroom.switch.calls.leg cimport Leg

cdef class CallRecordings:
    cdef object _house
    cdef dict _recordings

    cpdef _on_call(self, Call call, double now)
    @cython.locals(recorded=set)
    cpdef bint _is_wanted(self, Call call)
