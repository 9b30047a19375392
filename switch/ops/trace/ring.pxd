# What Ring holds in C; ring.py runs without.

cdef class Ring:
    cdef object _now, _values
    cdef public Py_ssize_t size, max_octets, octets, forgotten
    cdef public object records

    cpdef put(self, str direction, messages)
    cpdef link(self, str sip_call_id, str record_id)
    cpdef _shrink(self)
