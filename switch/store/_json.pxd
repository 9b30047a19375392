# What the writers of JSON share: inlined into each, with or without the interpreter's lock.

from libc.stdint cimport int64_t, uint8_t, uint64_t

cdef enum:
    LONGEST = 6  # octets that one of the first 256 characters can take


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
