# What Line and Opening hold in C; negotiate.py runs without.

import cython

cdef class Line:
    cdef readonly int port
    cdef readonly bint is_mux

cdef class Opening:
    cdef readonly tuple origin
    cdef readonly str host, text

    cpdef Opening next(self)

@cython.locals(username=str, number=cython.longlong, version=cython.longlong, family=str, own=str)
cdef str _written(tuple origin, str host)
