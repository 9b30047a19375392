from libc.stdint cimport uint8_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)
    void* PyUnicode_1BYTE_DATA(object text)

ctypedef const uint8_t* Octets

cdef inline Py_ssize_t skip_space(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    while at < end and (p[at] == c" " or p[at] == c"\t"):
        at += 1
    return at

cdef inline str ascii(Octets p, Py_ssize_t start, Py_ssize_t end):
    """Octets that were found to be ASCII."""
    if start == end:
        return ""
    cdef str text = PyUnicode_New(end - start, 127)
    memcpy(PyUnicode_1BYTE_DATA(text), p + start, end - start)
    return text

cpdef object find_param(tuple params, str name)
cdef str text_of(Octets p, Py_ssize_t start, Py_ssize_t end)
cdef Py_ssize_t count_controls(Octets p, Py_ssize_t size) noexcept
cdef Py_ssize_t skip_token(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept
cdef Py_ssize_t read_number(Octets p, Py_ssize_t* place, Py_ssize_t end) noexcept
cdef object read_uri(Octets p, Py_ssize_t at, Py_ssize_t end)
cdef object read_name_addr(Octets p, Py_ssize_t* place, Py_ssize_t end)
cdef object read_via(Octets p, Py_ssize_t* place, Py_ssize_t end)
cdef object read_cseq(Octets p, Py_ssize_t at, Py_ssize_t end)
