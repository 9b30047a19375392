# What Line and Opening hold in C; negotiate.py runs without.

import cython

@cython.freelist(64)
cdef class Line:
    cdef readonly int port
    cdef readonly bint is_mux

@cython.freelist(64)
@cython.no_gc  # nothing that it refers to leads back
cdef class Opening:
    cdef readonly tuple origin
    cdef readonly str host

    cpdef Opening next(self)
