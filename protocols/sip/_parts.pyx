# cython: wraparound=False, boundscheck=False
"""Where the parts of a message's mandatory headers are, found while its lines are read (RFC 3261 §8.1.1)."""

from ._spans cimport (
    find_address, find_cseq, find_hop, has_controls, is_media_type, is_word, read_number,
)


cdef inline Py_ssize_t find_first(Parts* parts, Octets p, Line* line) noexcept:
    """Find the parts of a line's first value, and its end; -1 when it is not quite usual."""
    cdef Py_ssize_t at = line.value, end = line.value_end
    cdef int number = line.number
    cdef Address address
    if number == VIA:
        return at if find_hop(p, &at, end, &parts.top) else -1
    if number == FROM:
        return at if find_address(p, &at, end, &parts.sender) else -1
    if number == TO:
        return at if find_address(p, &at, end, &parts.receiver) else -1
    if number == CONTACT:
        if not find_address(p, &at, end, &address):
            return -1
        parts.contact, parts.contact_end = address.uri, address.uri_end
        return at
    if number == CALL_ID:
        parts.id, parts.id_end = at, end
        return end if is_word(p, at, end) else -1
    if number == CSEQ:
        parts.sequence, parts.sequence_end = at, end
        parts.sequence_method = find_cseq(p, at, end, &parts.sequence_number)
        return end if parts.sequence_method > 0 else -1
    if number == CONTENT_LENGTH:
        parts.length = read_number(p, &at, end)
        return at if parts.length >= 0 else -1
    return -1


cdef bint mark_line(Parts* parts, Octets p, Line* line) noexcept:
    """Find the parts of this line, or of its first value; False when it is not quite usual."""
    cdef Py_ssize_t at = -1 if line.is_folded else find_first(parts, p, line)
    if at < 0 or (at != line.value_end and line.number != VIA and line.number != CONTACT):
        return False
    parts.marked |= <uint32_t>1 << line.number
    return True


cdef bint is_usual(Parts* parts, Octets p, Line* line, bint is_first) noexcept:
    """Whether a line is all in its usual form and has no controls; keeps where the parts of a first one are."""
    cdef int number = line.number
    cdef Py_ssize_t at = line.value, end = line.value_end, hops
    if number == MAX_FORWARDS:
        hops = read_number(p, &at, end)
        return 0 <= hops <= 255 and at == end and at - line.value <= 3
    if number == CONTENT_TYPE:
        return is_media_type(p, at, end) and not has_controls(p + at, end - at)
    if number == ROUTE or number == RECORD_ROUTE:
        return is_list(p, at, number, line)
    if not is_first:
        return (number == VIA or number == CONTACT) and is_list(p, at, number, line)
    at = find_first(parts, p, line)
    if at == end:
        parts.marked |= <uint32_t>1 << number
        return True
    if at < 0 or (number != VIA and number != CONTACT):
        return False
    parts.marked |= <uint32_t>1 << number
    return is_list(p, at + 1, number, line)


cdef bint is_list(Octets p, Py_ssize_t at, int number, Line* line) noexcept:
    """Whether these are hops or addresses up to the end of the line, with commas between them."""
    cdef Address address
    cdef Hop hop
    while True:
        if number == VIA:
            if not find_hop(p, &at, line.value_end, &hop):
                return False
        elif not find_address(p, &at, line.value_end, &address):
            return False
        if at == line.value_end:
            return True
        at += 1
