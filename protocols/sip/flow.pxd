# What Flow holds in C; flow.py runs without.

cdef class Flow:
    cdef readonly str transport, name
    cdef readonly tuple local, remote
    cdef readonly long long connection
    cdef readonly Py_hash_t pile

    cpdef tuple fields(self)
    cpdef bint depends_on(self, Flow failed) except -1
    cdef bint _is(self, Flow other) except -1
