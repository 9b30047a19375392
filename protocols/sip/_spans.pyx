# cython: wraparound=False, boundscheck=False
"""Where the parts of addresses, hops and numbers are, in octets of the usual form (RFC 3261 §25).

Each reader gets a piece of memory and its end, and makes no object. Behind each piece stands what is in no
class of letters and ends every run of them: the CR of a line, the NUL of a text. A reader answers False for
whatever is escaped, oddly spaced or wrong: then the plain code in uri.py and headers.py decides.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy, memset

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
            | IS_DISPLAY * ((octet >= 32 or octet == 9) and octet != 127 and octet not in b'"<>,;:\\')
            | IS_QUOTED * ((octet >= 32 or octet == 9) and octet != 127 and octet not in b'"\\')
        )


fill_classes()

# ---- pieces of text ----------------------------------------------------------------------------------------

cdef inline uint64_t controls_of(Octets p) noexcept:
    """A bit for each of eight octets that is a control octet; HTAB is told apart by who looks closer."""
    cdef uint64_t eight, ones = 0x0101010101010101, tops = 0x8080808080808080
    memcpy(&eight, p, 8)
    # the top bit of an octet that is below 32, or 127 once its lowest seven bits are turned around
    return ((eight - 32 * ones) | ((eight ^ (127 * ones)) - ones)) & ~eight & tops


cdef bint has_controls(Octets p, Py_ssize_t size) noexcept:
    """Whether there is a control octet other than HTAB; by eights, as what is looked at is short."""
    cdef Py_ssize_t at = 0
    cdef uint64_t found = 0
    if size >= 8:
        while size - at > 8:
            found |= controls_of(p + at)
            at += 8
        if not found | controls_of(p + size - 8):  # some of them were looked at twice rather than one by one
            return False
        at = 0
    while at < size:
        if (p[at] < 32 and p[at] != c"\t") or p[at] == 127:
            return True
        at += 1
    return False


cdef inline Py_ssize_t skip_class(Octets p, Py_ssize_t at, uint8_t flag) noexcept:
    """The end of letters of this class."""
    while CLASS[p[at]] & flag:
        if not CLASS[p[at + 1]] & flag:
            return at + 1
        at += 2
    return at


cdef Py_ssize_t skip_token(Octets p, Py_ssize_t at) noexcept:
    return skip_class(p, at, IS_TOKEN)


cdef inline bint is_hex(uint8_t c) noexcept:
    return c"0" <= c <= c"9" or c"A" <= c <= c"F" or c"a" <= c <= c"f"


cdef inline Py_ssize_t skip_escaped(Octets p, Py_ssize_t at, uint8_t flag) noexcept:
    """The end of letters of this class and %-escapes."""
    at = skip_class(p, at, flag)
    while p[at] == c"%" and is_hex(p[at + 1]) and is_hex(p[at + 2]):
        at = skip_class(p, at + 3, flag)
    return at


cdef inline Py_ssize_t skip_host(Octets p, Py_ssize_t at) noexcept:
    """The end of the host, or its start when there is none."""
    cdef Py_ssize_t start = at
    if p[at] != c"[":
        return skip_class(p, at, IS_HOST)
    at += 1
    while is_hex(p[at]) or p[at] == c":" or p[at] == c".":
        at += 1
    return at + 1 if p[at] == c"]" and 2 <= at - start - 1 <= 45 else start


cdef inline Py_ssize_t read_number(Octets p, Py_ssize_t* place, Py_ssize_t end) noexcept:
    """Up to ten digits as a number; -1 for none or more."""
    cdef Py_ssize_t start = place[0], at = start, number = 0
    while at < end and c"0" <= p[at] <= c"9" and at - start <= 10:
        number = number * 10 + p[at] - c"0"
        at += 1
    place[0] = at
    return number if 1 <= at - start <= 10 else -1


cdef inline Py_ssize_t read_port(Octets p, Py_ssize_t* place) noexcept:
    """The port behind a colon; -1 when it is none, -2 when there is no colon."""
    cdef Py_ssize_t number
    if p[place[0]] != c":":
        return -2
    place[0] += 1
    number = read_number(p, place, place[0] + 11)  # or to what ends it
    return number if number <= 65535 else -1

# ---- parts: each moves ``place`` behind what it found ------------------------------------------------------------

cdef inline bint find_uri_params(Octets p, Py_ssize_t* place) noexcept:
    """Pass over a URI's parameters."""
    cdef Py_ssize_t at = place[0], start
    while p[at] == c";":
        start = at + 1
        at = skip_escaped(p, start, IS_URI_PARAM)
        if at == start:
            return False
        if p[at] == c"=":
            start = at + 1
            at = skip_escaped(p, start, IS_URI_PARAM)
            if at == start:
                return False
    place[0] = at
    return True


cdef inline bint find_user(Octets p, Py_ssize_t* place, UriParts* uri) noexcept:
    """Pass over what stands in front of a host; False when there is no user before the @."""
    cdef Py_ssize_t at = skip_escaped(p, place[0], IS_USER), split = at
    uri.user = uri.user_end = uri.password = uri.password_end = place[0]
    if p[at] == c":":
        split = skip_escaped(p, at + 1, IS_PASSWORD)
    if p[split] != c"@":
        return True  # it was the host, and perhaps more
    uri.user_end = at
    if split > at:
        uri.password, uri.password_end = at + 1, split
    place[0] = split + 1
    return at > uri.user


cdef inline Py_ssize_t skip_uri(Octets p, Py_ssize_t at, UriParts* uri) noexcept:
    """The end of a sip or sips URI without headers; -1 when there is none."""
    if p[at] != c"s" or p[at + 1] != c"i" or p[at + 2] != c"p":
        return -1
    at += 3
    uri.is_secure = p[at] == c"s"
    at += uri.is_secure
    if p[at] != c":":
        return -1
    at += 1
    if not find_user(p, &at, uri):
        return -1
    uri.host = at
    at = uri.host_end = skip_host(p, at)
    uri.port = read_port(p, &at)
    uri.params = at
    return at if uri.host_end > uri.host and uri.port != -1 and find_uri_params(p, &at) else -1


cdef bint find_uri(Octets p, Py_ssize_t at, Py_ssize_t end, UriParts* uri) noexcept:
    """A sip or sips URI without headers that fills the whole space."""
    return skip_uri(p, at, uri) == end


cdef inline bint is_named(Octets one, const char* small, Py_ssize_t size) noexcept:
    """Whether these octets are the name in lower case, but for the case of letters."""
    cdef Py_ssize_t at
    for at in range(size):
        if (one[at] | 32) != <uint8_t>small[at]:
            return False
    return True


cdef inline void note_tag(Octets p, Py_ssize_t start, Py_ssize_t middle, Py_ssize_t value, Py_ssize_t end,
                          Params* params) noexcept:
    """Keep where a tag is; one that stands twice or oddly is odd."""
    cdef bint is_same
    if middle - start == 3:
        is_same = memcmp(p + start, b"tag", 3) == 0
        if is_same or is_named(p + start, b"tag", 3):
            params.is_odd |= not is_same or params.value > 0 or end == 0 or p[value] == c'"'
            params.value, params.value_end = value, end


cdef inline void note_way(Octets p, Py_ssize_t start, Py_ssize_t middle, Py_ssize_t value, Py_ssize_t end,
                          Params* params) noexcept:
    """Keep where a branch is and what a hop says of its source; what stands twice or oddly is odd."""
    cdef Py_ssize_t size = middle - start
    cdef bint is_same
    if size == 6:
        is_same = memcmp(p + start, b"branch", 6) == 0
        if is_same or is_named(p + start, b"branch", 6):
            params.is_odd |= not is_same or params.value > 0 or end == 0 or p[value] == c'"'
            params.value, params.value_end = value, end
    elif size == 5:
        is_same = memcmp(p + start, b"rport", 5) == 0
        if is_same or is_named(p + start, b"rport", 5):
            if not is_same or params.has_rport:
                params.is_odd = True
            params.has_rport = True
            params.rport = middle if end == 0 else 0
    elif size == 8:
        params.has_received |= is_named(p + start, b"received", 8)


cdef inline bint find_params(Octets p, Py_ssize_t* place, Py_ssize_t end, bint is_hop, Params* params) noexcept:
    """Header parameters up to a comma or the end."""
    cdef Py_ssize_t at = skip_space(p, place[0], end), start, middle, value, value_end
    memset(params, 0, sizeof(Params))
    params.start = at
    while p[at] == c";":
        start = skip_space(p, at + 1, end)
        middle = skip_class(p, start, IS_TOKEN)
        if middle == start:
            return False
        at = skip_space(p, middle, end)
        value = value_end = 0
        if p[at] == c"=":
            value = skip_space(p, at + 1, end)
            if p[value] == c'"':
                at = skip_class(p, value + 1, IS_QUOTED)
                if p[at] != c'"':
                    return False
                at += 1
            else:
                at = skip_class(p, value, IS_VALUE)
                if at == value:
                    return False
            value_end = at
            at = skip_space(p, at, end)
        if is_hop:
            note_way(p, start, middle, value, value_end, params)
        else:
            note_tag(p, start, middle, value, value_end, params)
    params.end = place[0] = at
    return at == end or p[at] == c","


cdef inline Py_ssize_t find_display_name(Octets p, Py_ssize_t at, Py_ssize_t end, Address* found) noexcept:
    """Find the display name in front of ``<``; -1 when what stands there is neither that nor a bare URI."""
    cdef Py_ssize_t middle, start = at
    found.name = found.name_end = at
    if p[at] == c'"':
        middle = skip_class(p, at + 1, IS_QUOTED)
        if p[middle] != c'"':
            return -1
        found.name, found.name_end = at + 1, middle
        at = skip_space(p, middle + 1, end)
        return at if p[at] == c"<" else -1
    middle = skip_class(p, at, IS_DISPLAY)
    if p[middle] != c"<":
        return at
    at = middle
    while middle > start and (p[middle - 1] == c" " or p[middle - 1] == c"\t"):
        middle -= 1
    found.name_end = middle
    return at


cdef bint find_address(Octets p, Py_ssize_t* place, Py_ssize_t end, Address* found) noexcept:
    """An address up to a comma or the end."""
    cdef Py_ssize_t at = find_display_name(p, skip_space(p, place[0], end), end, found), stop
    if at < 0:
        return False
    if p[at] == c"<":
        found.uri = at + 1
        found.uri_end = skip_uri(p, at + 1, &found.parts)
        if found.uri_end < 0 or p[found.uri_end] != c">":
            return False
        at = found.uri_end + 1
    else:
        stop = found.uri = at
        while stop < end and p[stop] not in b' \t"<>,;?':
            stop += 1
        found.uri_end = at = stop
        if not find_uri(p, found.uri, stop, &found.parts):
            return False
    if not find_params(p, &at, end, False, &found.params):
        return False
    place[0] = at
    return True


cdef bint find_hop(Octets p, Py_ssize_t* place, Py_ssize_t end, Hop* found) noexcept:
    """A Via's hop up to a comma or the end."""
    cdef Py_ssize_t at = skip_space(p, place[0], end)
    if end - at < 12 or memcmp(p + at, b"SIP/2.0/", 8) != 0:
        return False
    at = found.transport = at + 8
    while c"A" <= p[at] <= c"Z":
        at += 1
    found.transport_end = at
    if at == found.transport or p[at] != c" ":
        return False
    found.host = skip_space(p, at, end)
    at = found.host_end = skip_host(p, found.host)
    found.port = read_port(p, &at)
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
    if not 0 <= number[0] <= 2147483647 or start == at or start == end or skip_class(p, start, IS_TOKEN) != end:
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
    cdef Py_ssize_t middle = skip_class(p, at, IS_TOKEN)
    if end - at > 200 or middle == at or middle == end or p[middle] != c"/":
        return False
    at = skip_class(p, middle + 1, IS_TOKEN)
    if at == middle + 1:
        return False
    at = skip_space(p, at, end)
    return at == end or p[at] == c";"
