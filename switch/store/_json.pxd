# What the writers of JSON share: inlined into each, with or without the interpreter's lock.

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #include <endian.h>
    #define EACH 0x0101010101010101ULL
    """
    const uint64_t EACH  # of eight characters
    uint64_t le64toh(uint64_t) noexcept nogil
    int __builtin_ctzll(uint64_t) noexcept nogil

cdef enum:
    LONGEST = 6  # octets that one of the first 256 characters can take


cdef inline char* write_text(char* at, const uint8_t* octets, size_t size, bint is_ascii) noexcept nogil:
    """Write it in quotes, and what is no ASCII escaped, if that is asked for; behind it."""
    cdef size_t i = 0
    cdef uint64_t word, found
    cdef int count
    cdef uint8_t c
    at[0] = c'"'
    at += 1
    while i + 8 <= size:
        memcpy(&word, octets + i, 8)
        memcpy(at, &word, 8)
        found = escaped(le64toh(word), is_ascii)
        count = __builtin_ctzll(found) >> 3 if found else 8
        i, at = i + count, at + count
        if found:
            at = escape(at, octets[i])
            i += 1
    for i in range(i, size):
        c = octets[i]
        at[0] = <char>c
        if c < 0x20 or c == c'"' or c == c'\\' or (is_ascii and c >= 0x7F):
            at = escape(at, c)
        else:
            at += 1
    at[0] = c'"'
    return at + 1


cdef inline uint64_t escaped(uint64_t word, bint is_ascii) noexcept nogil:
    """Of eight characters the highest bit of the first that does not stand for itself; those behind may err."""
    cdef uint64_t quote = word ^ EACH * c'"', stroke = word ^ EACH * c'\\'
    # What is below n loses its highest bit by n less; it borrows from those behind it alone
    cdef uint64_t found = (word - EACH * 0x20 | quote - EACH | stroke - EACH) & ~word
    if is_ascii:
        found |= word | word + EACH
    return found & EACH * 0x80


cdef inline char* escape(char* at, uint8_t c) noexcept nogil:
    """Write one of the first 256 characters that does not stand for itself; behind it."""
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
        at[1], at[2], at[3], at[4], at[5] = c'u', c'0', c'0', hexadecimal(c >> 4), hexadecimal(c & 15)
        return at + 6
    return at + 2


cdef inline char hexadecimal(uint8_t digit) noexcept nogil:
    return <char>(c'0' + digit if digit < 10 else c'a' + digit - 10)


cdef inline int write_integer(int64_t value, char* end) noexcept nogil:
    """Write a number that ends in front of this place; how many characters, 20 at most."""
    cdef int size = 0
    cdef uint64_t rest = <uint64_t>value if value >= 0 else <uint64_t>0 - <uint64_t>value
    while True:
        size += 1
        end[-size] = <char>(c'0' + rest % 10)
        rest //= 10
        if rest == 0:
            break
    if value < 0:
        size += 1
        end[-size] = c'-'
    return size
