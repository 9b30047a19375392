from libc.string cimport memcpy

from ._lines cimport Lines
from ._spans cimport Octets

cdef Py_ssize_t skip_line_ends(Octets p, Py_ssize_t end) noexcept
cdef int write_number(Py_ssize_t number, char* end) noexcept

cdef inline char* put(char* place, const char* octets, Py_ssize_t size) noexcept:
    if size > 0:  # a message without headers has no octets of its own, and memcpy takes no NULL
        memcpy(place, octets, size)
    return place + size

cdef class Written(Lines):
    cdef public str method, reason, _uri_text
    cdef public int status
    cdef public bytes body

    cdef bint read_usual(self, bytes data, tuple limits) except -1
    cdef bint read_start(self, Octets p, Py_ssize_t start, Py_ssize_t end) except -1
    cdef bint cut_body(self, Octets p, Py_ssize_t start, Py_ssize_t size) except -1
    cdef int adopt(self, bytes data, limits) except -1
    cpdef _read(self, bytes data, limits)
    cpdef _pack(self, str first, str second, str third)
    cpdef bytes _reply(self, int status, str reason, str to_tag, headers, bytes body)
    cdef bytes pack_reply(self, int status, str reason, str to_tag, Py_ssize_t added, bytes body)
