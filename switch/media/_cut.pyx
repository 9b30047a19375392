"""The quick twin of cut.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcmp, memcpy

cdef extern from "string.h" nogil:
    void *memmem(const void *, size_t, const void *, size_t)

ctypedef const unsigned char *Octets


cdef Octets _end_of(Octets at, Octets end, int least, int most, Py_ssize_t longest) noexcept:
    """Where a word of such octets ends that begins there; NULL: none does, or no space follows."""
    cdef Octets p = at
    while p < end and least <= p[0] <= most:
        p += 1
    return p if at < p and p < end and p[0] == 0x20 and p - at <= longest else NULL


cdef Octets _own_in(Octets at, Octets end) noexcept:
    """Where the address in the origin begins; NULL: not as usual."""
    if end - at < 7 or memcmp(at, b"v=0\r\no=", 7) != 0:
        return NULL
    at = _end_of(at + 7, end, 0x21, 0x7E, 64)
    for _ in range(2):
        if at != NULL:
            at = _end_of(at + 1, end, 0x30, 0x39, 18)
    return at + 8 if at != NULL and end - at >= 8 and memcmp(at, b" IN IP4 ", 8) == 0 else NULL


def cut(bytes data not None):
    """As in cut.py."""
    cdef Octets start = <Octets>PyBytes_AS_STRING(data)
    cdef Octets end = start + len(data)
    cdef Octets own = _own_in(start, end)
    cdef Octets port = NULL if own == NULL else <Octets>memmem(own, end - own, b"\r\nm=audio ", 10)
    cdef Octets after = NULL if port == NULL else _end_of(port + 10, end, 0x30, 0x39, 5)
    cdef Py_ssize_t i
    cdef int number = 0
    if after == NULL or port[10] == 0x30:
        return None
    port += 10
    for i in range(after - port):
        number = 10 * number + port[i] - 0x30
    if number >= 65535:
        return None
    cdef bytes text = PyBytes_FromStringAndSize(NULL, (port - own) + (end - after))
    memcpy(PyBytes_AS_STRING(text), own, port - own)
    memcpy(PyBytes_AS_STRING(text) + (port - own), after, end - after)
    return text, number
