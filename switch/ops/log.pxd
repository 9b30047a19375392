# What Limiter holds in C; log.py runs without.

cimport cython

cdef class Limiter:
    cdef public object max_rate
    cdef object _clock
    cdef dict _kinds

    cpdef bint keeps_back(self, str event)

cdef class Renderer:
    cdef public bint is_json
    cdef object _worker
    cdef long long _second
    cdef str _prefix

    cpdef str _now(self)

cpdef str text(value)
cdef str _exact(value)
@cython.locals(c=cython.Py_UCS4)
cdef bint _is_plain(str given)
