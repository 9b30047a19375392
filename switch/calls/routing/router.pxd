# What Router holds in C; router.py runs without.

cimport cython

from switchroom.switch.numbering.index cimport PatternIndex

from .plan cimport Inquiry, Plan
from .route cimport Route
from .search cimport Book, Search

cdef class _Extension:
    cdef object to
    cdef bint is_emergency
    cdef tuple told

cdef class Router:
    cdef public object overrides
    cdef public dict users
    cdef object _plan, _routing, _rates, _guests, _shared, _emergency
    cdef str _country
    cdef bint _normalises
    cdef list _routes
    cdef Book _book
    cdef PatternIndex _index
    cdef dict _extensions, _bars, _settings

    cpdef Plan plan(self, Inquiry inquiry)
    cpdef Plan _plan_of_guest(self, Inquiry inquiry, home)
    cpdef Plan _plan_of_all(self, Inquiry inquiry)
    cpdef bint is_emergency(self, str number)
    cpdef str _international(self, Inquiry inquiry)
    cpdef str _why_barred(self, Inquiry inquiry, str number)
    @cython.locals(route=Route)
    cpdef Search _search(self, Inquiry inquiry, str number, bint is_emergency)
    cpdef tuple _steps(self, Route route, Inquiry inquiry, str number)
    cpdef str _shown_outside(self, Inquiry inquiry)
    cpdef settings(self, str user)
    cpdef ring_time(self, str user, bint boxes=*)
    cpdef Plan divert(self, str user, str why, Inquiry inquiry, bint boxes=*)
    cpdef Plan _forwarded(self, str target, Inquiry onward)

cdef Plan _to_extension(_Extension known, Inquiry inquiry, str number)
