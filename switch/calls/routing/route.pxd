# What Route holds in C; route.py runs without.

from .plan cimport Inquiry

cdef class Route:
    cdef readonly object config
    cdef readonly str label
    cdef readonly tuple patterns
    cdef readonly bint needs_rates, falls_through
    cdef str _sources_shown, _order, _words
    cdef tuple _callers, _in_order, _times
    cdef object _sources, _schedule, _zone, _called, _caller, _continue_on
    cdef list _groups
    cdef bint _is_recorded

    cpdef str why_not(self, Inquiry inquiry)
    cpdef bint _has_source(self, str source)
    cpdef str called(self, str number)
    cpdef tuple steps(self, Inquiry inquiry, str number, str outside, rates)
    cpdef _chosen(self, Inquiry inquiry, dict prices)
    cpdef _time(self, Py_ssize_t place)
    cpdef str describe(self, tuple steps, str number)
