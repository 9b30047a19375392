# What Line holds in C; negotiate.py runs without.

cdef class Line:
    cdef readonly int port
    cdef readonly bint is_mux
