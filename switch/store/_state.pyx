"""The state of a live call as JSON, in one pass into one buffer; what it does not know, state.py writes."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from ._json cimport LONGEST, write_integer, write_text

from .state import plain

cdef extern from "Python.h":
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    int PyUnicode_1BYTE_KIND
    str PyUnicode_New(Py_ssize_t, Py_UCS4)
    long long PyLong_AsLongLongAndOverflow(object, int*) except? -1

cdef struct Text:
    char* data
    Py_ssize_t size, room


def encode(value) -> str:
    """The same text as json's encoder makes."""
    cdef Text text
    text.data, text.size, text.room = NULL, 0, 0
    try:
        _write(&text, value)
        made = PyUnicode_New(text.size, 127)
        memcpy(PyUnicode_DATA(made), text.data, text.size)
        return made
    finally:
        free(text.data)


cdef int _write(Text* text, value) except -1:
    cdef bytes octets
    cdef long long number
    cdef int overflow = 0
    kind = type(value)
    if kind is str and PyUnicode_KIND(value) == PyUnicode_1BYTE_KIND:
        return _write_text(text, <uint8_t*>PyUnicode_DATA(value), len(<str>value))
    if kind is bytes:  # its octets are the first 256 characters
        octets = value
        return _write_text(text, <uint8_t*>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets))
    if kind is tuple or kind is list or kind is frozenset or kind is set:
        return _write_list(text, value)
    if value is None:
        return _put(text, b"null", 4)
    if value is True:
        return _put(text, b"true", 4)
    if value is False:
        return _put(text, b"false", 5)
    if kind is int:
        number = PyLong_AsLongLongAndOverflow(value, &overflow)
        if not overflow:
            return _write_number(text, number)
    octets = plain(value).encode("ascii")
    return _put(text, PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets))


cdef int _write_number(Text* text, long long number) except -1:
    cdef char digits[20]
    cdef int size = write_integer(number, digits + 20)
    return _put(text, digits + 20 - size, size)


cdef int _write_list(Text* text, values) except -1:
    cdef bint is_first = True
    _put_one(text, c'[')
    if type(values) is tuple:
        for value in <tuple>values:
            is_first = _write_entry(text, value, is_first)
    else:
        for value in values:
            is_first = _write_entry(text, value, is_first)
    return _put_one(text, c']')


cdef bint _write_entry(Text* text, value, bint is_first) except -1:
    if not is_first:
        _put_one(text, c',')
    _write(text, value)
    return False


cdef int _write_text(Text* text, const uint8_t* characters, Py_ssize_t length) except -1:
    _reserve(text, length * LONGEST + 2)
    text.size = write_text(text.data + text.size, characters, length, True) - text.data
    return 0


cdef inline int _put_one(Text* text, char character) except -1:
    if text.size == text.room:
        _reserve(text, 1)
    text.data[text.size] = character
    text.size += 1
    return 0


cdef int _put(Text* text, const char* data, Py_ssize_t size) except -1:
    _reserve(text, size)
    memcpy(text.data + text.size, data, size)
    text.size += size
    return 0


cdef int _reserve(Text* text, Py_ssize_t size) except -1:
    cdef Py_ssize_t room = text.room
    cdef void* data
    if text.size + size <= room:
        return 0
    while text.size + size > room:
        room = 2 * room if room else 4096
    data = realloc(text.data, room)
    if data == NULL:
        raise MemoryError
    text.data, text.room = <char*>data, room
    return 0
