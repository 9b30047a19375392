# cython: wraparound=False, boundscheck=False
"""An identifier's text, written where it is kept."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

cdef extern from "Python.h":
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 largest)
    void* PyUnicode_DATA(str text)
    bint PyUnicode_IS_ASCII(str text)
    Py_ssize_t PyUnicode_GET_LENGTH(str text)

cdef const char* DIGITS = "0123456789abcdef"


cpdef str identifier(str head, bytes octets, Py_ssize_t at):
    """A head and, in hexadecimal, the eight octets that stand at a place."""
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(head), place
    cdef const unsigned char* octet
    cdef str text
    cdef char* p
    if not PyUnicode_IS_ASCII(head) or at < 0 or at + 8 > PyBytes_GET_SIZE(octets):
        raise ValueError("not ASCII, or not eight octets")
    text = PyUnicode_New(size + 16, 127)
    p = <char*>PyUnicode_DATA(text)
    memcpy(p, PyUnicode_DATA(head), size)
    p += size
    octet = <const unsigned char*>PyBytes_AS_STRING(octets) + at
    for place in range(8):
        p[2 * place] = DIGITS[octet[place] >> 4]
        p[2 * place + 1] = DIGITS[octet[place] & 15]
    return text
