# What Mint holds in C; identifiers.py runs without.

cimport cython

cdef Py_ssize_t _DIGITS, _COOKIE, _STRIDE

cdef class Mint:
    cdef object _random, _sealer
    cdef bytes _secret
    cdef str _head, _pool
    cdef Py_ssize_t _at

    @cython.locals(at=cython.Py_ssize_t)
    cpdef str branch(self)
    cpdef str call_id(self)
    @cython.locals(at=cython.Py_ssize_t)
    cpdef str tag(self)
    @cython.locals(at=cython.Py_ssize_t)
    cpdef Py_ssize_t _next(self)
    cpdef str tag_for(self, str key)
    cpdef bint is_own_branch(self, str branch)
