# cython: wraparound=False, boundscheck=False
"""Where the parts of addresses, hops and numbers are, in octets of the usual form (RFC 3261 §25).

Each reader gets a piece of memory and its end, never looks behind that, and makes no object. It answers
False for whatever is escaped, oddly spaced or wrong: then the plain code in uri.py and headers.py decides.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

# ---- letters -----------------------------------------------------------------------------------------------

cdef uint8_t CLASS[256]


cdef void fill_classes():
    cdef int octet
    alnum = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for octet in range(256):
        CLASS[octet] = (
            IS_TOKEN * (octet in alnum + b"-.!%*_+`'~")
            | IS_USER * (octet in alnum + b"-_.!~*'()&=+$,;?/#")
            | IS_PASSWORD * (octet in alnum + b"-_.!~*'()&=+$,")
            | IS_HOST * (octet in alnum + b"-._")
            | IS_URI_PARAM * (octet in alnum + b"-_.!~*'()[]/:&+$")
            | IS_VALUE * (32 < octet < 127 and octet not in b'",;<>\\')
            | IS_DISPLAY * (octet not in b'"<>,;:\\')
            | IS_QUOTED * ((octet >= 32 or octet == 9) and octet != 127 and octet not in b'"\\')
        )


fill_classes()

# ---- pieces of text ----------------------------------------------------------------------------------------

cdef bint has_controls(Octets p, Py_ssize_t size) noexcept:
    """Whether there is a control octet other than HTAB; by eights, as what is written is short."""
    cdef uint64_t eight, ones = 0x0101010101010101, tops = 0x8080808080808080
    cdef Py_ssize_t at = 0
    while size - at >= 8:
        memcpy(&eight, p + at, 8)
        # the top bit of an octet that is below 32, or 127 once its lowest seven bits are turned around
        if ((eight - 32 * ones) | ((eight ^ (127 * ones)) - ones)) & ~eight & tops:
            return count_controls(p + at, size - at) > 0
        at += 8
    if at == size:
        return False
    if size >= 8:  # the last eight once more rather than one by one
        memcpy(&eight, p + size - 8, 8)
        if not ((eight - 32 * ones) | ((eight ^ (127 * ones)) - ones)) & ~eight & tops:
            return False
    return count_controls(p + at, size - at) > 0


cdef Py_ssize_t count_controls(Octets p, Py_ssize_t size) noexcept:
    """The number of control octets other than HTAB; in blocks, which the C compiler makes vectors of."""
    cdef Py_ssize_t at = 0, total = 0, stop
    cdef uint8_t found
    while at < size:
        found = 0
        stop = min(size, at + 240)
        while at < stop:
            found += ((p[at] < 32) & (p[at] != 9)) | (p[at] == 127)
            at += 1
        total += found
    return total


cdef inline Py_ssize_t skip_class(Octets p, Py_ssize_t at, Py_ssize_t end, uint8_t flag) noexcept:
    while end - at >= 4 and CLASS[p[at]] & CLASS[p[at + 1]] & CLASS[p[at + 2]] & CLASS[p[at + 3]] & flag:
        at += 4
    while at < end and CLASS[p[at]] & flag:
        at += 1
    return at


cdef Py_ssize_t skip_token(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    return skip_class(p, at, end, IS_TOKEN)


cdef inline bint is_hex(uint8_t c) noexcept:
    return c"0" <= c <= c"9" or c"A" <= c <= c"F" or c"a" <= c <= c"f"


cdef Py_ssize_t skip_escaped(Octets p, Py_ssize_t at, Py_ssize_t end, uint8_t flag) noexcept:
    """The end of letters of this class and %-escapes."""
    at = skip_class(p, at, end, flag)
    while at < end:
        if CLASS[p[at]] & flag:
            at += 1
        elif p[at] == c"%" and end - at > 2 and is_hex(p[at + 1]) and is_hex(p[at + 2]):
            at += 3
        else:
            break
    return at


cdef Py_ssize_t skip_host(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    """The end of the host, or its start when there is none."""
    cdef Py_ssize_t start = at
    if at == end or p[at] != c"[":
        return skip_class(p, at, end, IS_HOST)
    at += 1
    while at < end and (is_hex(p[at]) or p[at] == c":" or p[at] == c"."):
        at += 1
    return at + 1 if at < end and p[at] == c"]" and 2 <= at - start - 1 <= 45 else start


cdef Py_ssize_t read_number(Octets p, Py_ssize_t* place, Py_ssize_t end) noexcept:
    """Up to ten digits as a number; -1 for none or more."""
    cdef Py_ssize_t start = place[0], at = start, number = 0
    while at < end and c"0" <= p[at] <= c"9" and at - start <= 10:
        number = number * 10 + p[at] - c"0"
        at += 1
    place[0] = at
    return number if 1 <= at - start <= 10 else -1


cdef Py_ssize_t read_port(Octets p, Py_ssize_t* place, Py_ssize_t end) noexcept:
    """The port behind a colon; -1 when it is none, -2 when there is no colon."""
    cdef Py_ssize_t number
    if place[0] == end or p[place[0]] != c":":
        return -2
    place[0] += 1
    number = read_number(p, place, end)
    return number if number <= 65535 else -1

# ---- parts: each moves ``place`` behind what it found ------------------------------------------------------------

cdef bint find_uri_params(Octets p, Py_ssize_t* place, Py_ssize_t end) noexcept:
    """Pass over a URI's parameters."""
    cdef Py_ssize_t at = place[0], start
    while at < end and p[at] == c";":
        start = at + 1
        at = skip_escaped(p, start, end, IS_URI_PARAM)
        if at == start:
            return False
        if at < end and p[at] == c"=":
            start = at + 1
            at = skip_escaped(p, start, end, IS_URI_PARAM)
            if at == start:
                return False
    place[0] = at
    return True


cdef bint find_uri(Octets p, Py_ssize_t at, Py_ssize_t end, UriParts* uri) noexcept:
    """A sip or sips URI without headers that fills the whole space."""
    cdef const void* split
    if end - at < 5 or memcmp(p + at, b"sip", 3) != 0:
        return False
    at += 3
    uri.is_secure = p[at] == c"s"
    at += uri.is_secure
    if p[at] != c":":
        return False
    at += 1
    uri.user = uri.user_end = uri.password = uri.password_end = at
    split = memchr(p + at, c"@", end - at)
    if split != NULL:
        at = skip_escaped(p, at, end, IS_USER)
        uri.user_end = at
        if at == uri.user:
            return False
        if at < <Octets>split - p:
            if p[at] != c":":
                return False
            uri.password = at + 1
            at = skip_escaped(p, at + 1, <Octets>split - p, IS_PASSWORD)
            uri.password_end = at
        if at != <Octets>split - p:
            return False
        at += 1
    uri.host = at
    at = uri.host_end = skip_host(p, at, end)
    uri.port = read_port(p, &at, end)
    uri.params = at
    return uri.host_end > uri.host and uri.port != -1 and find_uri_params(p, &at, end) and at == end


cdef inline bint is_named(Octets one, const char* small, Py_ssize_t size) noexcept:
    """Whether these octets are the name in lower case, but for the case of letters."""
    cdef Py_ssize_t at
    for at in range(size):
        if (one[at] | 32) != <uint8_t>small[at]:
            return False
    return True


cdef void note_param(Octets p, Py_ssize_t start, Py_ssize_t middle, Py_ssize_t value, Py_ssize_t end, bint is_hop,
                     Params* params) noexcept:
    """Keep where a tag or a branch is, and what a hop says of its source; what stands twice or oddly is odd."""
    cdef Py_ssize_t size = middle - start
    cdef const char* name
    if not is_hop:
        if size != 3 or not is_named(p + start, b"tag", 3):
            return
        name = b"tag"
    elif size == 6 and is_named(p + start, b"branch", 6):
        name = b"branch"
    elif size == 5 and is_named(p + start, b"rport", 5):
        params.is_odd |= params.has_rport or memcmp(p + start, b"rport", 5) != 0
        params.has_rport = True
        params.rport = middle if end == 0 else 0
        return
    else:
        params.has_received |= size == 8 and is_named(p + start, b"received", 8)
        return
    params.is_odd |= params.value > 0 or end == 0 or p[value] == c'"' or memcmp(p + start, name, size) != 0
    params.value, params.value_end = value, end


cdef bint find_params(Octets p, Py_ssize_t* place, Py_ssize_t end, bint is_hop, Params* params) noexcept:
    """Header parameters up to a comma or the end."""
    cdef Py_ssize_t at = skip_space(p, place[0], end), start, middle, value, value_end
    memset(params, 0, sizeof(Params))
    params.start = at
    while at < end and p[at] == c";":
        start = skip_space(p, at + 1, end)
        middle = skip_token(p, start, end)
        if middle == start:
            return False
        at = skip_space(p, middle, end)
        value = value_end = 0
        if at < end and p[at] == c"=":
            value = skip_space(p, at + 1, end)
            if value < end and p[value] == c'"':
                at = skip_class(p, value + 1, end, IS_QUOTED)
                if at == end or p[at] != c'"':
                    return False
                at += 1
            else:
                at = skip_class(p, value, end, IS_VALUE)
                if at == value:
                    return False
            value_end = at
            at = skip_space(p, at, end)
        note_param(p, start, middle, value, value_end, is_hop, params)
    params.end = place[0] = at
    return at == end or p[at] == c","


cdef Py_ssize_t find_display_name(Octets p, Py_ssize_t at, Py_ssize_t end, Address* found) noexcept:
    """Find the display name in front of ``<``; -1 when what stands there is neither that nor a bare URI."""
    cdef Py_ssize_t middle, start = at
    found.name = found.name_end = at
    if at < end and p[at] == c'"':
        middle = skip_class(p, at + 1, end, IS_QUOTED)
        if middle == end or p[middle] != c'"':
            return -1
        found.name, found.name_end = at + 1, middle
        at = skip_space(p, middle + 1, end)
        return at if at < end and p[at] == c"<" else -1
    middle = skip_class(p, at, end, IS_DISPLAY)
    if middle == end or p[middle] != c"<":
        return at
    at = middle
    while middle > start and (p[middle - 1] == c" " or p[middle - 1] == c"\t"):
        middle -= 1
    found.name_end = middle
    return at


cdef bint find_address(Octets p, Py_ssize_t* place, Py_ssize_t end, Address* found) noexcept:
    """An address up to a comma or the end."""
    cdef Py_ssize_t at = find_display_name(p, skip_space(p, place[0], end), end, found)
    cdef const void* close
    if at < 0:
        return False
    found.uri = at
    if at < end and p[at] == c"<":
        close = memchr(p + at, c">", end - at)
        if close == NULL:
            return False
        found.uri += 1
        found.uri_end = <Octets>close - p
        at = found.uri_end + 1
    else:
        while at < end and p[at] not in b' \t"<>,;?':
            at += 1
        found.uri_end = at
    if not find_uri(p, found.uri, found.uri_end, &found.parts) or not find_params(p, &at, end, False, &found.params):
        return False
    place[0] = at
    return True


cdef bint find_hop(Octets p, Py_ssize_t* place, Py_ssize_t end, Hop* found) noexcept:
    """A Via's hop up to a comma or the end."""
    cdef Py_ssize_t at = skip_space(p, place[0], end)
    if end - at < 12 or memcmp(p + at, b"SIP/2.0/", 8) != 0:
        return False
    at = found.transport = at + 8
    while at < end and c"A" <= p[at] <= c"Z":
        at += 1
    found.transport_end = at
    if at == found.transport or at == end or p[at] != c" ":
        return False
    found.host = skip_space(p, at, end)
    at = found.host_end = skip_host(p, found.host, end)
    found.port = read_port(p, &at, end)
    found.port_end = at
    if found.host_end == found.host or found.port == -1 or not find_params(p, &at, end, True, &found.params):
        return False
    place[0] = at
    return True


cdef Py_ssize_t find_cseq(Octets p, Py_ssize_t at, Py_ssize_t end, long long* number) noexcept:
    """The place of the method of a CSeq that fills the whole space; -1 when it is none."""
    cdef Py_ssize_t start
    number[0] = read_number(p, &at, end)
    start = skip_space(p, at, end)
    if not 0 <= number[0] < 2147483648 or start == at or start == end or skip_token(p, start, end) != end:
        return -1
    return start


cdef bint is_word(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    """Whether this is visible ASCII and nothing else; by eights first, as ``has_controls`` looks."""
    cdef uint64_t eight, ones = 0x0101010101010101, tops = 0x8080808080808080
    if at == end:
        return False
    while end - at >= 8:
        memcpy(&eight, p + at, 8)
        if (eight | (eight - 33 * ones) | ((eight ^ (127 * ones)) - ones)) & tops:
            return False
        at += 8
    while at < end and 32 < p[at] < 127:
        at += 1
    return at == end


cdef bint is_media_type(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    """Whether this is type/subtype without spaces, and perhaps parameters."""
    cdef Py_ssize_t middle = skip_token(p, at, end)
    if end - at > 200 or middle == at or middle == end or p[middle] != c"/":
        return False
    at = skip_token(p, middle + 1, end)
    if at == middle + 1:
        return False
    at = skip_space(p, at, end)
    return at == end or p[at] == c";"
