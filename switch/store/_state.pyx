"""The state of a live call as JSON, in one pass into one buffer; what it does not know, state.py writes."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.list cimport PyList_CheckExact
from cpython.long cimport PyLong_CheckExact
from cpython.set cimport PyAnySet_CheckExact
from cpython.tuple cimport PyTuple_CheckExact
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from ._json cimport LONGEST, write_integer, write_text

from .state import plain

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object)
    int PyUnicode_KIND(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
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
    if PyUnicode_CheckExact(value) and PyUnicode_KIND(value) == PyUnicode_1BYTE_KIND:
        return _write_text(text, <uint8_t*>PyUnicode_DATA(value), PyUnicode_GET_LENGTH(value))
    if PyBytes_CheckExact(value):  # its octets are the first 256 characters
        return _write_text(text, <uint8_t*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    if PyTuple_CheckExact(value) or PyList_CheckExact(value) or PyAnySet_CheckExact(value):
        return _write_list(text, value)
    if value is None:
        return _put(text, b"null", 4)
    if value is True:
        return _put(text, b"true", 4)
    if value is False:
        return _put(text, b"false", 5)
    if PyLong_CheckExact(value):
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
    _put_one(text, c'[')
    if PyTuple_CheckExact(values):
        for value in <tuple>values:
            _write(text, value)
            _put_one(text, c',')
    else:
        for value in values:
            _write(text, value)
            _put_one(text, c',')
    if text.data[text.size - 1] == c',':  # no value ends with one
        text.size -= 1
    return _put_one(text, c']')


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
