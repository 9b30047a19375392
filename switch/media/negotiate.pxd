# What Line and Opening hold in C; negotiate.py runs without.

cdef class Line:
    cdef readonly int port
    cdef readonly bint is_mux

cdef class Opening:
    cdef readonly tuple origin
    cdef readonly str host

    cpdef Opening next(self)
