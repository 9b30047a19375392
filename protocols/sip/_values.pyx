# cython: wraparound=False, boundscheck=False
"""Typed values made of octets in their usual form: a URI, an address, a Via, a CSeq (RFC 3261 §25).

Each reader answers None for whatever ``_spans`` does not find in its usual form: then the plain code in
uri.py and headers.py decides.
"""

from cpython.object cimport PyTypeObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy

from ._spans cimport (
    IS_QUOTED, IS_URI_PARAM, IS_VALUE, Address, Hop, Params, UriParts, find_address, find_cseq, find_hop, find_uri,
    skip_class, skip_escaped, skip_space, skip_token,
)

from sys import intern

cdef extern from "Python.h":
    object PyType_GenericAlloc(PyTypeObject* kind, Py_ssize_t size)

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


cdef bint is_ascii(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    """Whether no octet has its top bit; by eights first."""
    cdef uint64_t eight, found = 0, tops = 0x8080808080808080
    while end - at >= 8:
        memcpy(&eight, p + at, 8)
        found |= eight
        at += 8
    while at < end:
        found |= <uint64_t>p[at] << 56
        at += 1
    return not found & tops


cdef str text_of(Octets p, Py_ssize_t start, Py_ssize_t end):
    """Any octets; what is no UTF-8 becomes surrogates and goes back to the same octets."""
    if is_ascii(p, start, end):
        return ascii(p, start, end)
    return PyUnicode_DecodeUTF8(<const char*>p + start, end - start, "surrogateescape")


cdef list METHODS = [None] * 32  # by the first letter and the size; interned as in sources: compared at a glance


cdef int fill_methods() except -1:
    for name in "ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE".split():
        METHODS[3 * ord(name[0]) + len(name) & 31] = intern(name)
    return 0


fill_methods()


cdef str method_name(Octets p, Py_ssize_t start, Py_ssize_t end):
    """A method; the usual ones are not made anew."""
    cdef Py_ssize_t size = end - start
    cdef object method = METHODS[3 * p[start] + size & 31]
    if method is not None and len(<str>method) == size and memcmp(p + start, PyUnicode_1BYTE_DATA(method), size) == 0:
        return <str>method
    return ascii(p, start, end)


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

# ---- values: each reader moves ``place`` behind what it read -----------------------------------------------------

cdef tuple make_uri_params(Octets p, Py_ssize_t at, Py_ssize_t end):
    """The parameters that ``find_uri`` passed over."""
    cdef Py_ssize_t start, middle
    cdef list found
    if at == end:
        return ()
    found = []
    while at < end:
        start = at + 1
        middle = at = skip_escaped(p, start, IS_URI_PARAM)
        value = None
        if at < end and p[at] == c"=":
            at = skip_escaped(p, middle + 1, IS_URI_PARAM)
            value = ascii(p, middle + 1, at)
        found.append((param_name(p, start, middle), value))
    return tuple(found)


cdef object make_uri(Octets p, UriParts* found, Py_ssize_t end):
    """The URI that ``find_uri`` found."""
    if Uri is None:
        bind()
    value = new_value(Uri, 7)
    put(value, 0, SIPS if found.is_secure else SIP)
    put(value, 1, ascii(p, found.user, found.user_end) if found.user_end > found.user else None)
    put(value, 2, ascii(p, found.password, found.password_end) if found.password > found.user_end else None)
    put(value, 3, ascii(p, found.host, found.host_end))
    put(value, 4, found.port if found.port >= 0 else None)
    put(value, 5, make_uri_params(p, found.params, end))
    put(value, 6, EMPTY)
    return value


cdef object read_uri(Octets p, Py_ssize_t at, Py_ssize_t end):
    """A sip or sips URI without headers that fills the whole space."""
    cdef UriParts found
    return make_uri(p, &found, end) if find_uri(p, at, end, &found) else None


cdef tuple make_params(Octets p, Params* params):
    """The parameters that ``find_params`` passed over."""
    cdef Py_ssize_t at = params.start, end = params.end, start, middle
    cdef list found
    if at == end:
        return ()
    found = []
    while at < end:
        start = skip_space(p, at + 1, end)
        middle = skip_token(p, start)
        name = param_name(p, start, middle)
        at = skip_space(p, middle, end)
        value = None
        if at < end and p[at] == c"=":
            start = skip_space(p, at + 1, end)
            if p[start] == c'"':
                at = skip_class(p, start + 1, IS_QUOTED) + 1
                value = text_of(p, start, at)
            else:
                at = skip_class(p, start, IS_VALUE)
                value = ascii(p, start, at)
            at = skip_space(p, at, end)
        found.append((name, value))
    return tuple(found)


cdef object make_address(Octets p, Address* found):
    """The address that ``find_address`` found."""
    cdef object uri = make_uri(p, &found.parts, found.uri_end)
    value = new_value(NameAddr, 3)
    put(value, 0, text_of(p, found.name, found.name_end) if found.name_end > found.name else EMPTY)
    put(value, 1, uri)
    put(value, 2, make_params(p, &found.params))
    return value


cdef object read_address(Octets p, Py_ssize_t* place, Py_ssize_t end):
    """An address up to a comma or the end."""
    cdef Address found
    return make_address(p, &found) if find_address(p, place, end, &found) else None


cdef object make_hop(Octets p, Hop* found):
    """The hop that ``find_hop`` found."""
    cdef Py_ssize_t size = found.transport_end - found.transport
    if Via is None:
        bind()
    value = new_value(Via, 4)
    if size == 3 and memcmp(p + found.transport, b"UDP", 3) == 0:
        put(value, 0, UDP)
    elif size == 3 and memcmp(p + found.transport, b"TCP", 3) == 0:
        put(value, 0, TCP)
    else:
        put(value, 0, ascii(p, found.transport, found.transport_end))
    put(value, 1, ascii(p, found.host, found.host_end))
    put(value, 2, found.port if found.port >= 0 else None)
    put(value, 3, make_params(p, &found.params))
    return value


cdef object read_hop(Octets p, Py_ssize_t* place, Py_ssize_t end):
    """A Via's hop up to a comma or the end."""
    cdef Hop found
    return make_hop(p, &found) if find_hop(p, place, end, &found) else None


cdef object read_cseq(Octets p, Py_ssize_t at, Py_ssize_t end):
    """A CSeq that fills the whole space."""
    cdef long long number
    cdef Py_ssize_t method = find_cseq(p, at, end, &number)
    if method < 0:
        return None
    if CSeq is None:
        bind()
    value = new_value(CSeq, 2)
    put(value, 0, number)
    put(value, 1, method_name(p, method, end))
    return value

# ---- and back ------------------------------------------------------------------------------------------------

cdef str params_text(tuple params):
    cdef str name, value, text = ""
    for name, value in params:
        text += f";{name}" if value is None else f";{name}={value}"
    return text


cpdef str uri_text(object value):
    """A URI as it stands on the wire."""
    cdef tuple uri = <tuple>value
    cdef str scheme = uri[0], user = uri[1], password = uri[2], host = uri[3], headers = uri[6], text
    cdef long long port
    if user is None:
        text = f"{scheme}:{host}"
    elif password is not None:
        text = f"{scheme}:{user}:{password}@{host}"
    elif scheme == "sip" or scheme == "sips":
        text = f"{scheme}:{user}@{host}"
    else:
        text = f"{scheme}:{user}{host}"
    if uri[4] is not None:
        port = uri[4]
        text = f"{text}:{port}"
    if uri[5]:
        text += params_text(uri[5])
    return f"{text}?{headers}" if headers else text
