# What the classes of search.py hold in C; the same module runs without.

cimport cython

from .plan cimport Inquiry
from .route cimport Route

cdef class Book:
    cdef readonly list routes
    cdef readonly str country
    cdef readonly Py_ssize_t most

@cython.no_gc
@cython.freelist(64)
cdef class Search:
    cdef readonly Book book
    cdef readonly Inquiry inquiry
    cdef readonly str number
    cdef readonly bint is_emergency
    cdef readonly tuple steps
    cdef list tried
    cdef Py_ssize_t end, forced

    cpdef take(self, Py_ssize_t place, tuple steps, bint is_last)
    cpdef pass_over(self, Py_ssize_t place, str why)
    cpdef force(self, Py_ssize_t place, tuple steps)
    @cython.locals(route=Route, lines=list)
    cpdef tuple tell(self)
    @cython.locals(route=Route, place=Py_ssize_t, at=Py_ssize_t, others=Py_ssize_t, why=str, steps=tuple)
    cpdef _tell_routes(self, list lines)
    @cython.locals(place=Py_ssize_t, route=Route)
    cpdef _tell_others(self, Py_ssize_t start, Py_ssize_t end, list lines)
