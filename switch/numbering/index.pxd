# What PatternIndex holds in C; index.py runs without.

cimport cython

cdef class PatternIndex:
    cdef dict _exact, _heads
    cdef list _lengths

    @cython.locals(found=list, asked=list, size=Py_ssize_t, length=Py_ssize_t)
    cpdef list find(self, str number)
