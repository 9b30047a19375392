# What Mint holds in C; identifiers.py runs without.

cimport cython

from ._identifiers cimport identifier

cdef Py_ssize_t _RANDOM

cdef class Mint:
    cdef object _random, _sealer
    cdef bytes _secret, _pool
    cdef str _head, _branch_head
    cdef Py_ssize_t _at

    cdef _begin(self, str head)
    @cython.locals(at=cython.Py_ssize_t)
    cpdef str branch(self)
    cpdef str call_id(self)
    @cython.locals(at=cython.Py_ssize_t)
    cpdef str tag(self)
    @cython.locals(at=cython.Py_ssize_t)
    cpdef Py_ssize_t _next(self)
    cpdef str tag_for(self, str key)
    cpdef bint is_own_branch(self, str branch)
