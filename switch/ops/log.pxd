# What Limiter holds in C; log.py runs without.

cimport cython

cdef class Limiter:
    cdef public object max_rate
    cdef object _clock
    cdef dict _kinds

    cpdef bint keeps_back(self, str event)

cpdef str text(value)
@cython.locals(c=cython.Py_UCS4)
cdef bint _is_plain(str given)
