"""The state of a live call as JSON, in one pass into one buffer; what it does not know, state.py writes."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from ._json cimport LONGEST, escape, write_integer

from .state import plain

cdef extern from "Python.h":
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    int PyUnicode_1BYTE_KIND
    str PyUnicode_New(Py_ssize_t, Py_UCS4)
    long long PyLong_AsLongLongAndOverflow(object, int*) except? -1

cdef extern from *:
    """
    #include <endian.h>
    #define EACH 0x0101010101010101ULL
    """
    uint64_t EACH
    uint64_t le64toh(uint64_t) noexcept
    int __builtin_ctzll(uint64_t) noexcept

cdef uint8_t _IS_ESCAPED[256]
for _octet in range(256):
    _IS_ESCAPED[_octet] = not 0x20 <= _octet < 0x7F or _octet in b'"\\'

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
    cdef Py_ssize_t i = 0
    cdef uint64_t word, found
    cdef int count
    cdef char* at
    _reserve(text, length * LONGEST + 2)
    at = text.data + text.size
    at[0] = c'"'
    at += 1
    while i + 8 <= length:
        memcpy(&word, characters + i, 8)
        memcpy(at, &word, 8)
        found = _escaped(le64toh(word))
        count = __builtin_ctzll(found) >> 3 if found else 8
        i, at = i + count, at + count
        if found:
            at = escape(at, characters[i])
            i += 1
    while i < length:
        at[0] = <char>characters[i]
        at = escape(at, characters[i]) if _IS_ESCAPED[characters[i]] else at + 1
        i += 1
    at[0] = c'"'
    text.size = at + 1 - text.data
    return 0


cdef inline uint64_t _escaped(uint64_t word) noexcept:
    """Eight characters: the highest bit of the first of them that does not stand for itself, and perhaps more."""
    cdef uint64_t quote = word ^ EACH * c'"', stroke = word ^ EACH * c'\\'
    # A character is below n if it loses its highest bit by n less; it borrows from those behind it alone
    cdef uint64_t found = word | (word + EACH) | (word - EACH * 0x20) | (quote - EACH) | (stroke - EACH)
    return found & EACH * 0x80


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
