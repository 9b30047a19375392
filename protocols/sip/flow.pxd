# What Flow holds in C; flow.py runs without.

cdef class Flow:
    cdef readonly str transport, name
    cdef readonly tuple local, remote
    cdef readonly long long connection
    cdef Py_hash_t _hash

    cpdef tuple fields(self)
    cdef bint _is(self, Flow other) except -1
