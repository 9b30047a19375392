# What Mint holds in C; identifiers.py runs without.

cimport cython

cdef Py_ssize_t _DIGITS

cdef class Mint:
    cdef object _random, _sealer
    cdef bytes _secret
    cdef str _head, _pool
    cdef Py_ssize_t _at

    cpdef str branch(self)
    cpdef str call_id(self)
    @cython.locals(at=cython.Py_ssize_t)
    cpdef str tag(self)
    cpdef str tag_for(self, str key)
    cpdef bint is_own_branch(self, str branch)
