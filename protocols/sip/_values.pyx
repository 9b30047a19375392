# cython: wraparound=False, boundscheck=False
"""Typed values read from octets in their usual form: a URI, an address, a Via, a CSeq (RFC 3261 §25).

Each reader gets a piece of memory and its end, and never looks behind that. It answers None for whatever
is escaped, oddly spaced or wrong: then the plain code in uri.py and headers.py decides.
"""

from cpython.object cimport PyTypeObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memchr, memcmp

cdef extern from "Python.h":
    object PyType_GenericAlloc(PyTypeObject* kind, Py_ssize_t size)

# ---- letters -----------------------------------------------------------------------------------------------

cdef enum:
    IS_TOKEN = 1
    IS_USER = 2
    IS_PASSWORD = 4
    IS_HOST = 8
    IS_URI_PARAM = 16
    IS_VALUE = 32  # of a header's parameter
    IS_DISPLAY = 64  # of an unquoted display name
    IS_QUOTED = 128  # inside of quotes, without escapes

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

cdef str LR = "lr", TAG = "tag", BRANCH = "branch", RPORT = "rport", TRANSPORT = "transport"
cdef str SIP = "sip", SIPS = "sips", UDP = "UDP", TCP = "TCP", EMPTY = ""
cdef object Uri = None, NameAddr = None, Via = None, CSeq = None


cdef int bind() except -1:
    """Get the classes when the first value is made: their modules import the compiled ones."""
    global Uri, NameAddr, Via, CSeq
    from . import headers, uri
    Uri, NameAddr, Via, CSeq = uri.Uri, headers.NameAddr, headers.Via, headers.CSeq
    return 0


cpdef object find_param(tuple params, str name):
    """The parameter's value unquoted, "" when it has none, None when it is not there."""
    cdef str key, value
    for pair in params:
        key = (<tuple>pair)[0]
        if key == name or (len(key) == len(name) and key.lower() == name.lower()):
            value = (<tuple>pair)[1]
            if value is None:
                return ""
            if value and value[0] == c'"':
                from .grammar import unquote
                return unquote(value)
            return value
    return None


cdef str text_of(Octets p, Py_ssize_t start, Py_ssize_t end):
    """Any octets; what is no UTF-8 becomes surrogates and goes back to the same octets."""
    return PyUnicode_DecodeUTF8(<const char*>p + start, end - start, "surrogateescape")


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
    while at < end and CLASS[p[at]] & flag:
        at += 1
    return at


cdef Py_ssize_t skip_token(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    return skip_class(p, at, end, IS_TOKEN)


cdef inline bint is_hex(uint8_t c) noexcept:
    return c"0" <= c <= c"9" or c"A" <= c <= c"F" or c"a" <= c <= c"f"


cdef Py_ssize_t skip_escaped(Octets p, Py_ssize_t at, Py_ssize_t end, uint8_t flag) noexcept:
    """The end of letters of this class and %-escapes."""
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


cdef inline str param_name(Octets p, Py_ssize_t start, Py_ssize_t end):
    """The name of a parameter; the usual ones are not made anew."""
    cdef Py_ssize_t size = end - start
    if size == 3 and memcmp(p + start, b"tag", 3) == 0:
        return TAG
    if size == 6 and memcmp(p + start, b"branch", 6) == 0:
        return BRANCH
    if size == 5 and memcmp(p + start, b"rport", 5) == 0:
        return RPORT
    if size == 2 and memcmp(p + start, b"lr", 2) == 0:
        return LR
    if size == 9 and memcmp(p + start, b"transport", 9) == 0:
        return TRANSPORT
    return ascii(p, start, end)


cdef object new_value(object kind, Py_ssize_t size):
    """An empty NamedTuple of this class: its fields must be set before anybody sees it."""
    return PyType_GenericAlloc(<PyTypeObject*>kind, size)


cdef inline void put(object value, Py_ssize_t at, object field):
    Py_INCREF(field)  # the tuple takes this reference
    PyTuple_SET_ITEM(value, at, field)

# ---- values: each moves ``place`` behind what it read ----------------------------------------------------------

cdef tuple read_uri_params(Octets p, Py_ssize_t* place, Py_ssize_t end):
    cdef Py_ssize_t at = place[0], start, middle
    cdef list found = []
    while at < end and p[at] == c";":
        start = at + 1
        middle = at = skip_escaped(p, start, end, IS_URI_PARAM)
        value = None
        if at < end and p[at] == c"=":
            at = skip_escaped(p, middle + 1, end, IS_URI_PARAM)
            if at == middle + 1:
                return None
            value = ascii(p, middle + 1, at)
        if middle == start:
            return None
        found.append((param_name(p, start, middle), value))
    place[0] = at
    return tuple(found)


cdef object read_uri(Octets p, Py_ssize_t at, Py_ssize_t end):
    """A sip or sips URI without headers that fills the whole space."""
    cdef Py_ssize_t start, middle, port
    cdef const void* split
    cdef object user = None, password = None
    cdef str scheme = SIP
    if end - at < 5 or memcmp(p + at, b"sip", 3) != 0:
        return None
    at += 3
    if p[at] == c"s":
        scheme = SIPS
        at += 1
    if p[at] != c":":
        return None
    at += 1
    split = memchr(p + at, c"@", end - at)
    if split != NULL:
        start = at
        middle = skip_escaped(p, start, end, IS_USER)
        at = <Octets>split - p
        if middle == start:
            return None
        user = ascii(p, start, middle)
        if middle < at:
            if p[middle] != c":" or skip_escaped(p, middle + 1, at, IS_PASSWORD) != at:
                return None
            password = ascii(p, middle + 1, at)
        at += 1
    start = at
    at = middle = skip_host(p, start, end)
    port = read_port(p, &at, end)
    params = read_uri_params(p, &at, end) if at < end else ()
    if middle == start or port == -1 or params is None or at != end:
        return None
    if Uri is None:
        bind()
    value = new_value(Uri, 7)
    put(value, 0, scheme)
    put(value, 1, user)
    put(value, 2, password)
    put(value, 3, ascii(p, start, middle))
    put(value, 4, None if port < 0 else port)
    put(value, 5, params)
    put(value, 6, EMPTY)
    return value


cdef tuple read_params(Octets p, Py_ssize_t* place, Py_ssize_t end):
    """Header parameters up to a comma or the end."""
    cdef Py_ssize_t at = skip_space(p, place[0], end), start, middle
    cdef list found
    if at == end:
        place[0] = at
        return ()
    found = []
    while at < end and p[at] == c";":
        start = skip_space(p, at + 1, end)
        middle = skip_token(p, start, end)
        if middle == start:
            return None
        name = param_name(p, start, middle)
        at = skip_space(p, middle, end)
        value = None
        if at < end and p[at] == c"=":
            start = skip_space(p, at + 1, end)
            if start < end and p[start] == c'"':
                at = skip_class(p, start + 1, end, IS_QUOTED)
                if at == end or p[at] != c'"':
                    return None
                at += 1
                value = text_of(p, start, at)
            else:
                at = skip_class(p, start, end, IS_VALUE)
                if at == start:
                    return None
                value = ascii(p, start, at)
            at = skip_space(p, at, end)
        found.append((name, value))
    place[0] = at
    return tuple(found) if at == end or p[at] == c"," else None


cdef Py_ssize_t read_display_name(Octets p, Py_ssize_t at, Py_ssize_t end, Py_ssize_t* start, Py_ssize_t* stop) noexcept:
    """Find the display name in front of ``<``; -1 when what stands there is neither that nor a bare URI."""
    cdef Py_ssize_t middle
    start[0] = stop[0] = at
    if at < end and p[at] == c'"':
        middle = skip_class(p, at + 1, end, IS_QUOTED)
        if middle == end or p[middle] != c'"':
            return -1
        start[0], stop[0] = at + 1, middle
        at = skip_space(p, middle + 1, end)
        return at if at < end and p[at] == c"<" else -1
    middle = skip_class(p, at, end, IS_DISPLAY)
    if middle == end or p[middle] != c"<":
        return at
    at = middle
    while middle > start[0] and (p[middle - 1] == c" " or p[middle - 1] == c"\t"):
        middle -= 1
    stop[0] = middle
    return at


cdef object read_name_addr(Octets p, Py_ssize_t* place, Py_ssize_t end):
    """An address up to a comma or the end."""
    cdef Py_ssize_t name_start, name_stop, start, stop
    cdef Py_ssize_t at = read_display_name(p, skip_space(p, place[0], end), end, &name_start, &name_stop)
    cdef const void* close
    if at < 0:
        return None
    start = at
    if at < end and p[at] == c"<":
        close = memchr(p + at, c">", end - at)
        if close == NULL:
            return None
        start += 1
        stop = <Octets>close - p
        at = stop + 1
    else:
        while at < end and p[at] not in b' \t"<>,;?':
            at += 1
        stop = at
    uri = read_uri(p, start, stop)
    params = None if uri is None else read_params(p, &at, end)
    if params is None:
        return None
    value = new_value(NameAddr, 3)
    put(value, 0, text_of(p, name_start, name_stop) if name_stop > name_start else EMPTY)
    put(value, 1, uri)
    put(value, 2, params)
    place[0] = at
    return value


cdef object read_via(Octets p, Py_ssize_t* place, Py_ssize_t end):
    """A hop up to a comma or the end."""
    cdef Py_ssize_t at = skip_space(p, place[0], end), start, stop, port
    cdef str transport
    if end - at < 12 or memcmp(p + at, b"SIP/2.0/", 8) != 0:
        return None
    start = at + 8
    at = start
    while at < end and c"A" <= p[at] <= c"Z":
        at += 1
    if at == start or at == end or p[at] != c" ":
        return None
    if at - start == 3 and memcmp(p + start, b"UDP", 3) == 0:
        transport = UDP
    elif at - start == 3 and memcmp(p + start, b"TCP", 3) == 0:
        transport = TCP
    else:
        transport = ascii(p, start, at)
    start = skip_space(p, at, end)
    at = stop = skip_host(p, start, end)
    port = read_port(p, &at, end)
    params = read_params(p, &at, end)
    if stop == start or port == -1 or params is None:
        return None
    if Via is None:
        bind()
    value = new_value(Via, 4)
    put(value, 0, transport)
    put(value, 1, ascii(p, start, stop))
    put(value, 2, None if port < 0 else port)
    put(value, 3, params)
    place[0] = at
    return value


cdef object read_cseq(Octets p, Py_ssize_t at, Py_ssize_t end):
    """A CSeq that fills the whole space."""
    cdef Py_ssize_t number = read_number(p, &at, end), start = skip_space(p, at, end)
    if not 0 <= number < 2147483648 or start == at or start == end or skip_token(p, start, end) != end:
        return None
    if CSeq is None:
        bind()
    value = new_value(CSeq, 2)
    put(value, 0, number)
    put(value, 1, ascii(p, start, end))
    return value
