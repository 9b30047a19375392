# cython: boundscheck=False, wraparound=False
"""The parameters of a Digest header, the fast twin of the readers in digest.py (RFC 7616 §3.3)."""

from cpython.unicode cimport PyUnicode_DATA, PyUnicode_KIND, PyUnicode_READ, PyUnicode_Substring
from libc.string cimport memchr, memcmp, memcpy

from ..errors import RemoteProtocolError

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 largest)

__all__ = ["parse_parameters", "read_credentials"]

cdef enum:
    MAX_HEADER_SIZE = 2048
    MAX_PARAMETERS = 32

cdef struct Cursor:
    int kind
    void* data
    Py_ssize_t at
    Py_ssize_t end

ctypedef const unsigned char* Octets

cdef enum:  # what credentials say, in the order of their fields
    USERNAME
    REALM
    NONCE
    URI
    RESPONSE
    ALGORITHM
    QOP
    NC
    CNONCE
    OPAQUE
    FIELDS
    NEEDED = 1 << USERNAME | 1 << REALM | 1 << NONCE | 1 << URI | 1 << RESPONSE
    COUNTED = 1 << NC | 1 << CNONCE

cdef const char** NAMES = ["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce", "opaque"]
cdef int* SIZES = [8, 5, 5, 3, 8, 9, 3, 2, 6, 6]
cdef str MD5 = "MD5", SHA_256 = "SHA-256", AUTH = "auth"
cdef object plain = None

cdef bint _in_token[128]

cdef int _c
for _c in range(128):
    _in_token[_c] = chr(_c).isalnum() or chr(_c) in "!#$%&'*+.^_`|~-"


def parse_parameters(str value not None):
    """What a Digest header says, by lower-case name; saying a thing twice is refused."""
    cdef Cursor text
    cdef dict found = {}
    cdef int count = 0
    cdef str name
    if len(value) > MAX_HEADER_SIZE:
        raise RemoteProtocolError("Digest header is too long")
    text.kind, text.data, text.at, text.end = PyUnicode_KIND(value), PyUnicode_DATA(value), 0, len(value)
    _skip_scheme(&text, value)
    while True:
        while _is_space(_peek(&text)) or _peek(&text) == c",":
            text.at += 1
        if text.at == text.end:
            break
        name = _read_name(&text, value)
        found[name] = _read_quoted(&text, value) if _peek(&text) == c'"' else _read_bare(&text, value)
        count += 1
        _skip_space(&text)
        if text.at < text.end and _peek(&text) != c",":
            raise RemoteProtocolError("Digest header is malformed")
    if count > MAX_PARAMETERS:
        raise RemoteProtocolError("Digest header has too many parameters")
    if len(found) != count:
        raise RemoteProtocolError("Digest header says one thing twice")
    return found


cdef inline Py_UCS4 _peek(Cursor* text) noexcept:
    """The next character; NUL, which is allowed nowhere, at the end."""
    return PyUnicode_READ(text.kind, text.data, text.at) if text.at < text.end else 0


cdef inline bint _is_space(Py_UCS4 c) noexcept:
    return c == c" " or c == c"\t"


cdef inline bint _is_text(Py_UCS4 c) noexcept:
    """No control octet, no lone surrogate (an octet that was not UTF-8)."""
    return (c >= 0x20 and c != 0x7F and not 0xD800 <= c <= 0xDFFF) or c == c"\t"


cdef inline void _skip_space(Cursor* text) noexcept:
    while _is_space(_peek(text)):
        text.at += 1


cdef int _skip_scheme(Cursor* text, str value) except -1:
    _skip_space(text)
    cdef Py_ssize_t start = text.at
    text.at = min(start + 6, text.end)
    if PyUnicode_Substring(value, start, text.at).lower() != "digest" or not _is_space(_peek(text)):
        raise RemoteProtocolError("Authentication scheme is not Digest")
    return 0


cdef str _read_name(Cursor* text, str value):
    """The name in lower case; the cursor is behind the equals sign then."""
    cdef Py_ssize_t start = text.at
    cdef bint has_upper = False
    cdef Py_UCS4 c = _peek(text)
    while c < 128 and _in_token[c]:
        has_upper |= c"A" <= c <= c"Z"
        text.at += 1
        c = _peek(text)
    name = PyUnicode_Substring(value, start, text.at)
    _skip_space(text)
    if not name or _peek(text) != c"=":
        raise RemoteProtocolError("Digest header is malformed")
    text.at += 1
    _skip_space(text)
    return name.lower() if has_upper else name


cdef str _read_bare(Cursor* text, str value):
    cdef Py_ssize_t start = text.at
    cdef Py_UCS4 c = _peek(text)
    while _is_text(c) and not _is_space(c) and c != c'"' and c != c"," and c != c"\\":
        text.at += 1
        c = _peek(text)
    if text.at == start:
        raise RemoteProtocolError("Digest header is malformed")
    return PyUnicode_Substring(value, start, text.at)


cdef str _read_quoted(Cursor* text, str value):
    text.at += 1
    cdef Py_ssize_t start = text.at
    cdef bint has_escape = False
    cdef Py_UCS4 c = _peek(text)
    while _is_text(c) and c != c'"':
        text.at += 1
        if c == c"\\":
            has_escape = True
            c = _peek(text)
            if not _is_text(c) or c > 0x7E:
                raise RemoteProtocolError("Digest header is malformed")
            text.at += 1
        c = _peek(text)
    if c != c'"':
        raise RemoteProtocolError("Digest header is malformed")
    text.at += 1
    said = PyUnicode_Substring(value, start, text.at - 1)
    return _unescape(said) if has_escape else said


cdef str _unescape(str said):
    kept = []
    cdef bint is_escaped = False
    for c in said:
        is_escaped = c == "\\" and not is_escaped
        if not is_escaped:
            kept.append(c)
    return "".join(kept)


# ---- credentials as nearly all write them; whatever is not quite usual goes to the plain reader


def read_credentials(str value not None):
    """What credentials say, in the order of their fields."""
    cdef tuple said = _read_usual(value) if PyUnicode_IS_ASCII(value) and len(value) <= MAX_HEADER_SIZE else None
    if said is not None:
        return said
    global plain
    if plain is None:
        from .digest import plain_read_credentials as plain
    return plain(value)


cdef tuple _read_usual(str value):
    cdef Octets p = <Octets>PyUnicode_DATA(value)
    cdef Py_ssize_t end = len(value), at = 7, starts[FIELDS], stops[FIELDS]
    cdef int field, seen = 0
    if end < at or memcmp(p, b"Digest ", at) != 0:
        return None
    while True:
        while at < end and (p[at] == c" " or p[at] == c","):
            at += 1
        if at == end:
            break
        field = _field_at(p, &at, end)
        if field < 0 or seen & 1 << field or not _pass_value(p, &at, end, &starts[field], &stops[field]):
            return None
        seen |= 1 << field
    if seen & NEEDED != NEEDED or (seen & 1 << QOP and seen & COUNTED != COUNTED):
        return None
    if not _is_hexadecimal(p, starts[RESPONSE], stops[RESPONSE]):
        return None
    if seen & 1 << NC and not (stops[NC] - starts[NC] == 8 and _is_hexadecimal(p, starts[NC], stops[NC])):
        return None
    cdef str algorithm = MD5, qop = None
    if seen & 1 << ALGORITHM:
        algorithm = _word(p, starts[ALGORITHM], stops[ALGORITHM], MD5, SHA_256)
    if seen & 1 << QOP:
        qop = _word(p, starts[QOP], stops[QOP], AUTH, AUTH)
    if algorithm is None or (qop is None and seen & 1 << QOP):
        return None
    return (
        _cut(p, starts[USERNAME], stops[USERNAME]), _cut(p, starts[REALM], stops[REALM]),
        _cut(p, starts[NONCE], stops[NONCE]), _cut(p, starts[URI], stops[URI]),
        _cut(p, starts[RESPONSE], stops[RESPONSE]), algorithm, qop,
        _cut(p, starts[NC], stops[NC]) if seen & 1 << NC else None,
        _cut(p, starts[CNONCE], stops[CNONCE]) if seen & 1 << CNONCE else None,
        _cut(p, starts[OPAQUE], stops[OPAQUE]) if seen & 1 << OPAQUE else None,
    )


cdef int _field_at(Octets p, Py_ssize_t* place, Py_ssize_t end) noexcept:
    """Which field the name here means; the place is behind its equals sign then. -1: none."""
    cdef Py_ssize_t start = place[0], size
    cdef const void* found = memchr(p + start, c"=", end - start)
    cdef int field
    if found == NULL:
        return -1
    size = <Octets>found - p - start
    place[0] = start + size + 1
    for field in range(FIELDS):
        if SIZES[field] == size and NAMES[field][0] == p[start] and memcmp(p + start, NAMES[field], size) == 0:
            return field
    return -1


cdef bint _pass_value(Octets p, Py_ssize_t* place, Py_ssize_t end, Py_ssize_t* start, Py_ssize_t* stop) noexcept:
    """Find a value without escapes, up to the comma behind it."""
    cdef Py_ssize_t at = place[0], i
    cdef const void* quote
    cdef bint is_odd = False
    if at < end and p[at] == c'"':
        at += 1
        quote = memchr(p + at, c'"', end - at)
        if quote == NULL:
            return False
        start[0], stop[0] = at, <Octets>quote - p
        for i in range(at, stop[0]):
            is_odd |= p[i] < 0x20 or p[i] == 0x7F or p[i] == c"\\"
        at = stop[0] + 1
    else:
        start[0] = at
        while at < end and p[at] > 0x20 and p[at] != c",":
            is_odd |= p[at] == 0x7F or p[at] == c'"' or p[at] == c"\\"
            at += 1
        stop[0] = at
        is_odd |= at == start[0]
    if is_odd:
        return False
    while at < end and p[at] == c" ":
        at += 1
    place[0] = at
    return at == end or p[at] == c","


cdef bint _is_hexadecimal(Octets p, Py_ssize_t start, Py_ssize_t stop) noexcept:
    """Digits and lower-case letters, at least one."""
    cdef Py_ssize_t at
    for at in range(start, stop):
        if not (c"0" <= p[at] <= c"9" or c"a" <= p[at] <= c"f"):
            return False
    return stop > start


cdef str _word(Octets p, Py_ssize_t start, Py_ssize_t stop, str one, str other):
    """The one of two words that stands here, or None."""
    cdef str word
    for word in (one, other):
        if len(word) == stop - start and memcmp(p + start, PyUnicode_DATA(word), stop - start) == 0:
            return word
    return None


cdef str _cut(Octets p, Py_ssize_t start, Py_ssize_t stop):
    cdef str text = PyUnicode_New(stop - start, 127)
    memcpy(PyUnicode_DATA(text), p + start, stop - start)
    return text
