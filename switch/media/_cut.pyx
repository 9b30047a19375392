"""The quick twin of cut.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport uint64_t
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


cpdef tuple cut(bytes data):
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


cdef char *_append(char *at, char *end, const char *octets, Py_ssize_t size) noexcept:
    """Write behind what is there; NULL: there was, or is, no room."""
    if at == NULL or end - at < size:
        return NULL
    memcpy(at, octets, size)
    return at + size


cdef char *_append_text(char *at, char *end, str text) except? NULL:
    cdef Py_ssize_t size
    cdef const char *octets = PyUnicode_AsUTF8AndSize(text, &size)
    if octets == NULL:
        return NULL
    return _append(at, end, octets, size)


cdef char *_append_number(char *at, char *end, uint64_t number) noexcept:
    cdef char digits[20]
    cdef int i = 20
    while True:
        i -= 1
        digits[i] = <char>(0x30 + number % 10)
        number //= 10
        if number == 0:
            return _append(at, end, digits + i, 20 - i)


cpdef bytes put(tuple origin, str host, bytes head, int port, bytes tail):
    """As in cut.py."""
    cdef char start[1024]
    cdef char *end = start + sizeof(start)
    cdef char *at = start
    cdef char digits[20]
    cdef Py_ssize_t begin, count, size = len(head)
    username, number, version, family, own = origin
    at = _append_text(_append(at, end, b"v=0\r\no=", 7), end, username)
    at = _append_number(_append(at, end, b" ", 1), end, number)
    at = _append_number(_append(at, end, b" ", 1), end, version)
    at = _append_text(_append(at, end, b" IN ", 4), end, family)
    at = _append_text(_append(at, end, b" ", 1), end, own)
    at = _append_text(_append(at, end, b"\r\ns=-\r\nc=IN ", 12), end, family)
    at = _append_text(_append(at, end, b" ", 1), end, host)
    if at == NULL:
        raise ValueError("an origin of more than 1,000 octets")
    begin, count = at - start, _append_number(digits, digits + 20, port) - digits
    cdef bytes data = PyBytes_FromStringAndSize(NULL, begin + size + count + len(tail))
    at = PyBytes_AS_STRING(data)
    memcpy(at, start, begin)
    memcpy(at + begin, PyBytes_AS_STRING(head), size)
    memcpy(at + begin + size, digits, count)
    memcpy(at + begin + size + count, PyBytes_AS_STRING(tail), len(tail))
    return data
