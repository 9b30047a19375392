# cython: boundscheck=False, wraparound=False
"""The parameters of a Digest header, the fast twin of the reader in digest.py (RFC 7616 §3.3)."""

from cpython.unicode cimport PyUnicode_DATA, PyUnicode_KIND, PyUnicode_READ, PyUnicode_Substring

from ..errors import RemoteProtocolError

__all__ = ["parse_parameters"]

cdef enum:
    MAX_HEADER_SIZE = 2048
    MAX_PARAMETERS = 32

cdef struct Cursor:
    int kind
    void* data
    Py_ssize_t at
    Py_ssize_t end

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
