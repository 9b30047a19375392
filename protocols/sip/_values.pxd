from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from ._spans cimport Address, Hop, Octets, UriParts

cdef extern from "Python.h":
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)
    void* PyUnicode_1BYTE_DATA(object text)

cdef inline str ascii(Octets p, Py_ssize_t start, Py_ssize_t end):
    """Octets that were found to be ASCII."""
    if start == end:
        return ""
    cdef str text = PyUnicode_New(end - start, 127)
    memcpy(PyUnicode_1BYTE_DATA(text), p + start, end - start)
    return text

cpdef object find_param(tuple params, str name)
cdef str method_name(Octets p, Py_ssize_t start, Py_ssize_t end)
cdef str text_of(Octets p, Py_ssize_t start, Py_ssize_t end)
cdef object make_uri(Octets p, UriParts* found, Py_ssize_t end)
cdef object read_uri(Octets p, Py_ssize_t at, Py_ssize_t end)
cdef object make_address(Octets p, Address* found)
cdef object read_address(Octets p, Py_ssize_t* place, Py_ssize_t end)
cdef object make_hop(Octets p, Hop* found)
cdef object read_hop(Octets p, Py_ssize_t* place, Py_ssize_t end)
cdef object read_cseq(Octets p, Py_ssize_t at, Py_ssize_t end)
cpdef str uri_text(object value)
