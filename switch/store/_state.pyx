"""The state of a live call as JSON, in one pass into one buffer; what it does not know, state.py writes."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from .state import plain

cdef extern from "Python.h":
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    int PyUnicode_1BYTE_KIND
    long long PyLong_AsLongLongAndOverflow(object, int*) except? -1

cdef enum:
    LONGEST = 6  # octets that one of the first 256 characters can take

cdef const char* _DIGITS = b"0123456789abcdef"

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
        return PyUnicode_DecodeASCII(text.data, text.size, NULL)
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
    cdef int at = 20
    cdef unsigned long long rest = <unsigned long long>number if number >= 0 else 0ULL - <unsigned long long>number
    while True:
        at -= 1
        digits[at] = <char>(c'0' + rest % 10)
        rest //= 10
        if rest == 0:
            break
    if number < 0:
        at -= 1
        digits[at] = c'-'
    return _put(text, digits + at, 20 - at)


cdef int _write_list(Text* text, values) except -1:
    cdef bint is_first = True
    _put(text, b"[", 1)
    if type(values) is tuple:
        for value in <tuple>values:
            is_first = _write_entry(text, value, is_first)
    else:
        for value in values:
            is_first = _write_entry(text, value, is_first)
    return _put(text, b"]", 1)


cdef bint _write_entry(Text* text, value, bint is_first) except -1:
    if not is_first:
        _put(text, b",", 1)
    _write(text, value)
    return False


cdef int _write_text(Text* text, const uint8_t* characters, Py_ssize_t length) except -1:
    cdef Py_ssize_t i
    cdef uint8_t c
    cdef char* at
    _reserve(text, length * LONGEST + 2)
    at = text.data + text.size
    at[0] = c'"'
    at += 1
    for i in range(length):
        c = characters[i]
        at[0] = <char>c
        at += 1
        if _IS_ESCAPED[c]:
            at = _escape(at - 1, c)
    at[0] = c'"'
    text.size = at + 1 - text.data
    return 0


cdef char* _escape(char* at, uint8_t c) noexcept:
    at[0] = c'\\'
    if c == c'"' or c == c'\\':
        at[1] = <char>c
    elif c == c'\n':
        at[1] = c'n'
    elif c == c'\r':
        at[1] = c'r'
    elif c == c'\t':
        at[1] = c't'
    elif c == c'\f':
        at[1] = c'f'
    elif c == c'\b':
        at[1] = c'b'
    else:
        at[1], at[2], at[3], at[4], at[5] = c'u', c'0', c'0', _DIGITS[c >> 4], _DIGITS[c & 15]
        return at + 6
    return at + 2


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
