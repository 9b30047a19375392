# What Ring holds in C; ring.py runs without.

cimport cython

cdef Py_ssize_t _OVERHEAD

cdef class Ring:
    cdef object _now, _values
    cdef public Py_ssize_t size, max_octets, octets, count, forgotten
    cdef public object records

    @cython.locals(octets=Py_ssize_t, count=Py_ssize_t, data=bytes)
    cpdef put(self, str direction, messages)
    cpdef link(self, str sip_call_id, str record_id)
    @cython.locals(size=Py_ssize_t, max_octets=Py_ssize_t, data=bytes)
    cpdef _shrink(self)
