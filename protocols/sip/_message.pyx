# cython: wraparound=False, boundscheck=False
"""Compiled twin of the message layer's hot part: ``Head``, ``parse_uri``, ``parse_name_addr`` and their like.

It reads the usual form only. Whatever is folded, escaped, oddly spaced or wrong goes to the plain twin,
which knows all forms and all errors: so the answers of both are the same by construction.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyTypeObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove

from ..errors import LocalProtocolError, RemoteProtocolError
from .grammar import COMPACT, SINGLE, find_param, header_key, unfold

cdef extern from "Python.h":
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)
    void* PyUnicode_1BYTE_DATA(object text)
    object PyType_GenericAlloc(PyTypeObject* kind, Py_ssize_t size)

ctypedef const uint8_t* Octets

# ---- letters -----------------------------------------------------------------------------------------------

cdef enum:
    IS_TOKEN = 1
    IS_USER = 2
    IS_PASSWORD = 4
    IS_HOST = 8
    IS_URI_PARAM = 16
    IS_VALUE = 32
    IS_DISPLAY = 64
    IS_QUOTED = 128

cdef uint8_t CLASS[256]
cdef uint8_t LOWER[256]  # of a token's letters; 0 for what is none


cdef void _mark(str letters, int flag):
    for letter in letters:
        CLASS[ord(letter)] |= flag


cdef void _fill_tables():
    cdef int octet
    alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    _mark(alnum + "-.!%*_+`'~", IS_TOKEN)
    _mark(alnum + "-_.!~*'()&=+$,;?/#", IS_USER)
    _mark(alnum + "-_.!~*'()&=+$,", IS_PASSWORD)
    _mark(alnum + "-._", IS_HOST)
    _mark(alnum + "-_.!~*'()[]/:&+$", IS_URI_PARAM)
    for octet in range(256):
        if 33 <= octet < 127 and octet not in b'",;<>\\':
            CLASS[octet] |= IS_VALUE
        if octet not in b'"<>,;:\\':
            CLASS[octet] |= IS_DISPLAY
        if (octet >= 32 or octet == 9) and octet != 127 and octet not in b'"\\':
            CLASS[octet] |= IS_QUOTED
        LOWER[octet] = (octet | 32 if 65 <= octet < 91 else octet) if CLASS[octet] & IS_TOKEN else 0


_fill_tables()

# ---- pieces of text ----------------------------------------------------------------------------------------

cdef str LR = "lr", TAG = "tag", BRANCH = "branch", RPORT = "rport", TRANSPORT = "transport"
cdef str UDP = "UDP", TCP = "TCP", TLS = "TLS", EMPTY = ""
cdef object Uri, NameAddr, Via, CSeq, headers, uri, head
Uri = NameAddr = Via = CSeq = headers = uri = head = None


cdef void _bind() except *:
    """Get the classes at the first use: their modules import this one."""
    global Uri, NameAddr, Via, CSeq, headers, uri, head
    from . import head, headers, uri
    NameAddr, Via, CSeq, Uri = headers.NameAddr, headers.Via, headers.CSeq, uri.Uri


cdef inline str ascii(Octets p, Py_ssize_t start, Py_ssize_t end):
    """Octets that were found to be ASCII."""
    if start == end:
        return EMPTY
    cdef str text = PyUnicode_New(end - start, 127)
    memcpy(PyUnicode_1BYTE_DATA(text), p + start, end - start)
    return text


cdef inline str text_of(Octets p, Py_ssize_t start, Py_ssize_t end):
    return PyUnicode_DecodeUTF8(<const char*>p + start, end - start, "surrogateescape")


cdef inline Py_ssize_t skip_space(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    while at < end and (p[at] == 32 or p[at] == 9):
        at += 1
    return at


cdef inline Py_ssize_t skip_class(Octets p, Py_ssize_t at, Py_ssize_t end, uint8_t flag) noexcept:
    while at < end and CLASS[p[at]] & flag:
        at += 1
    return at


cdef inline bint is_hex(uint8_t c) noexcept:
    return 48 <= c <= 57 or 65 <= c <= 70 or 97 <= c <= 102


cdef Py_ssize_t skip_escaped(Octets p, Py_ssize_t at, Py_ssize_t end, uint8_t flag) noexcept:
    """The end of letters of this class and %-escapes."""
    while at < end:
        if CLASS[p[at]] & flag:
            at += 1
        elif p[at] == 37 and end - at > 2 and is_hex(p[at + 1]) and is_hex(p[at + 2]):
            at += 3
        else:
            break
    return at


cdef Py_ssize_t skip_host(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    """The end of the host, or its start when there is none."""
    cdef Py_ssize_t start = at
    if at == end or p[at] != 91:  # [
        return skip_class(p, at, end, IS_HOST)
    at += 1
    while at < end and (is_hex(p[at]) or p[at] == 58 or p[at] == 46):
        at += 1
    return at + 1 if at < end and p[at] == 93 and 2 <= at - start - 1 <= 45 else start


cdef Py_ssize_t read_number(Octets p, Py_ssize_t* at, Py_ssize_t end) noexcept:
    """Up to ten digits as a number; -1 for none or more."""
    cdef Py_ssize_t start = at[0], number = 0
    while at[0] < end and 48 <= p[at[0]] <= 57 and at[0] - start <= 10:
        number = number * 10 + p[at[0]] - 48
        at[0] += 1
    return number if 1 <= at[0] - start <= 10 else -1


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
    Py_INCREF(field)
    PyTuple_SET_ITEM(value, at, field)

# ---- values: each reads from ``at`` on and moves it; None means: not the usual form ----------------------------

cdef tuple read_uri_params(Octets p, Py_ssize_t* place, Py_ssize_t end):
    cdef Py_ssize_t at = place[0], start, middle
    cdef list found = []
    cdef object value
    while at < end and p[at] == 59:  # ;
        start = at + 1
        middle = at = skip_escaped(p, start, end, IS_URI_PARAM)
        if middle == start:
            return None
        value = None
        if at < end and p[at] == 61:  # =
            at = skip_escaped(p, middle + 1, end, IS_URI_PARAM)
            if at == middle + 1:
                return None
            value = ascii(p, middle + 1, at)
        found.append((param_name(p, start, middle), value))
    place[0] = at
    return tuple(found)


cdef object read_uri(Octets p, Py_ssize_t at, Py_ssize_t end):
    """A sip or sips URI that fills the whole space; without headers."""
    cdef Py_ssize_t start, middle, number
    cdef const void* split
    cdef object user = None, password = None, port = None, value
    cdef str scheme
    if end - at < 5 or p[at] != 115 or p[at + 1] != 105 or p[at + 2] != 112:  # sip
        return None
    if p[at + 3] == 58:  # :
        scheme = "sip"
        at += 4
    elif p[at + 3] == 115 and p[at + 4] == 58:
        scheme = "sips"
        at += 5
    else:
        return None
    split = memchr(p + at, 64, end - at)  # @
    if split != NULL:
        start = at
        middle = skip_escaped(p, at, end, IS_USER)
        at = <Octets>split - p
        if middle == start:
            return None
        user = ascii(p, start, middle)
        if middle < at:
            if p[middle] != 58 or skip_escaped(p, middle + 1, at, IS_PASSWORD) != at:
                return None
            password = ascii(p, middle + 1, at)
        at += 1
    middle = skip_host(p, at, end)
    if middle == at:
        return None
    start, at = at, middle
    if at < end and p[at] == 58:
        at += 1
        number = read_number(p, &at, end)
        if not 0 <= number <= 65535:
            return None
        port = number
    params = read_uri_params(p, &at, end) if at < end else ()
    if params is None or at != end:
        return None
    if Uri is None:
        _bind()
    value = new_value(Uri, 7)
    put(value, 0, scheme)
    put(value, 1, user)
    put(value, 2, password)
    put(value, 3, ascii(p, start, middle))
    put(value, 4, port)
    put(value, 5, params)
    put(value, 6, EMPTY)
    return value


cdef tuple read_params(Octets p, Py_ssize_t* place, Py_ssize_t end):
    """Header parameters; quoted values without escapes only."""
    cdef Py_ssize_t at = skip_space(p, place[0], end), start, middle
    cdef list found
    cdef object value
    if at == end:
        place[0] = at
        return ()
    found = []
    while at < end and p[at] == 59:
        start = skip_space(p, at + 1, end)
        middle = skip_class(p, start, end, IS_TOKEN)
        if middle == start:
            return None
        name = param_name(p, start, middle)
        at = skip_space(p, middle, end)
        value = None
        if at < end and p[at] == 61:
            start = skip_space(p, at + 1, end)
            if start < end and p[start] == 34:  # "
                at = skip_class(p, start + 1, end, IS_QUOTED)
                if at == end or p[at] != 34:
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
    return tuple(found)


cdef object read_name_addr(Octets p, Py_ssize_t* place, Py_ssize_t end):
    cdef Py_ssize_t at = skip_space(p, place[0], end), start = at, middle
    cdef str name = EMPTY
    cdef object address, value
    cdef const void* close
    if at < end and p[at] == 34:
        middle = skip_class(p, at + 1, end, IS_QUOTED)
        if middle == end or p[middle] != 34:
            return None
        name = text_of(p, at + 1, middle)
        at = skip_space(p, middle + 1, end)
        if at == end or p[at] != 60:  # <
            return None
    else:
        middle = skip_class(p, at, end, IS_DISPLAY)
        if middle < end and p[middle] == 60:
            at = middle
            while middle > start and (p[middle - 1] == 32 or p[middle - 1] == 9):
                middle -= 1
            name = text_of(p, start, middle) if middle > start else EMPTY
    if at < end and p[at] == 60:
        close = memchr(p + at, 62, end - at)  # >
        if close == NULL:
            return None
        start, middle = at + 1, <Octets>close - p
        at = middle + 1
    else:
        while at < end and p[at] not in b' \t"<>,;?':
            at += 1
        middle = at
    address = read_uri(p, start, middle)
    if address is None:
        return None
    params = read_params(p, &at, end)
    if params is None or (at < end and p[at] != 44):  # ,
        return None
    value = new_value(NameAddr, 3)
    put(value, 0, name)
    put(value, 1, address)
    put(value, 2, params)
    place[0] = at
    return value


cdef object read_via(Octets p, Py_ssize_t* place, Py_ssize_t end):
    cdef Py_ssize_t at = skip_space(p, place[0], end), start, middle, number
    cdef str transport
    cdef object port = None, value
    if end - at < 12 or memcmp(p + at, b"SIP/2.0/", 8) != 0:
        return None
    start = at + 8
    at = start
    while at < end and 65 <= p[at] <= 90:
        at += 1
    if at == start or at == end or p[at] != 32:
        return None
    if at - start == 3 and memcmp(p + start, b"UDP", 3) == 0:
        transport = UDP
    elif at - start == 3 and memcmp(p + start, b"TCP", 3) == 0:
        transport = TCP
    else:
        transport = ascii(p, start, at)
    start = skip_space(p, at, end)
    at = middle = skip_host(p, start, end)
    if middle == start:
        return None
    if at < end and p[at] == 58:
        at += 1
        number = read_number(p, &at, end)
        if not 0 <= number <= 65535:
            return None
        port = number
    host = ascii(p, start, middle)
    params = read_params(p, &at, end)
    if params is None or (at < end and p[at] != 44):
        return None
    if Via is None:
        _bind()
    value = new_value(Via, 4)
    put(value, 0, transport)
    put(value, 1, host)
    put(value, 2, port)
    put(value, 3, params)
    place[0] = at
    return value


cdef object read_cseq(Octets p, Py_ssize_t at, Py_ssize_t end):
    cdef Py_ssize_t number = read_number(p, &at, end), start
    cdef object value
    start = skip_space(p, at, end)
    if not 0 <= number < 2147483648 or start == at or start == end:
        return None
    if skip_class(p, start, end, IS_TOKEN) != end:
        return None
    if CSeq is None:
        _bind()
    value = new_value(CSeq, 2)
    put(value, 0, number)
    put(value, 1, ascii(p, start, end))
    return value

# ---- the same from text ----------------------------------------------------------------------------------------

cdef bytes octets_of(str text):
    """The text's octets; none for what no octets could have been, which the plain twin refuses."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return b""


def parse_uri(str text):
    """The URI that the whole text is; RemoteProtocolError when it is none."""
    cdef bytes data = octets_of(text)
    if uri is None:
        _bind()
    value = read_uri(<Octets>PyBytes_AS_STRING(data), 0, PyBytes_GET_SIZE(data))
    return uri.plain_parse_uri(text) if value is None else value


def parse_name_addr(str text):
    """The address that the whole text is; RemoteProtocolError when it is none."""
    cdef bytes data = octets_of(text)
    cdef Py_ssize_t at = 0, end = PyBytes_GET_SIZE(data)
    if uri is None:
        _bind()
    value = read_name_addr(<Octets>PyBytes_AS_STRING(data), &at, end)
    return headers.plain_parse_name_addr(text) if value is None or at != end else value

# ---- names of headers --------------------------------------------------------------------------------------

cdef enum:
    UNKNOWN, VIA, FROM, TO, CALL_ID, CSEQ, CONTACT, ROUTE, RECORD_ROUTE, CONTENT_LENGTH, MAX_FORWARDS
    MOST_NAMES = 128

cdef list KEYS = [
    "", "via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "content-length", "max-forwards",
]
cdef str OTHERS = """accept accept-encoding accept-language alert-info allow authentication-info authorization
    call-info content-language error-info in-reply-to min-expires p-asserted-identity p-preferred-identity path
    privacy proxy-authenticate proxy-authorization proxy-require reason remote-party-id require service-route
    session-id unsupported warning www-authenticate"""
cdef dict ODD_CASE = {
    "call-id": "Call-ID", "cseq": "CSeq", "rack": "RAck", "rseq": "RSeq", "www-authenticate": "WWW-Authenticate",
    "mime-version": "MIME-Version", "sip-etag": "SIP-ETag", "sip-if-match": "SIP-If-Match", "min-se": "Min-SE",
    "session-id": "Session-ID",
}
cdef dict NUMBERS = {}  # the usual spellings of a known name -> its place in KEYS
cdef list USUAL = []  # keeps what the next table points at
cdef const char* SPELLED[MOST_NAMES]  # the usual spelling
cdef Py_ssize_t SIZES[MOST_NAMES]
cdef uint8_t BY_HASH[256]  # open addressing, by the name in lower case; 0 is a free slot
cdef uint8_t BY_LETTER[256]  # compact forms


cdef void _fill_names():
    cdef uint32_t hashed
    cdef int number
    cdef bytes spelled
    known = {*SINGLE, *COMPACT.values(), *OTHERS.split()}
    KEYS.extend(sorted(known.difference(KEYS)))
    for number in range(1, len(KEYS)):
        key = KEYS[number]
        name = ODD_CASE.get(key) or "-".join([word.capitalize() for word in key.split("-")])
        spelled = name.encode()
        USUAL.append(spelled)
        SPELLED[number] = PyBytes_AS_STRING(spelled)
        SIZES[number] = len(spelled)
        NUMBERS[name] = NUMBERS[key] = number
        hashed = 0
        for letter in key.encode():
            hashed = hashed * 33 ^ <uint8_t>letter
        while BY_HASH[hashed & 255]:
            hashed += 1
        BY_HASH[hashed & 255] = number
    for compact, key in COMPACT.items():
        for letter in (compact, compact.upper()):
            NUMBERS[letter] = BY_LETTER[ord(letter)] = NUMBERS[key]


_fill_names()


cdef int number_of(str name) except -1:
    found = NUMBERS.get(name)
    return NUMBERS.get(header_key(name), UNKNOWN) if found is None else found


cdef bint is_same_name(Octets one, Octets other, Py_ssize_t size) noexcept:
    """Whether two tokens differ in nothing but case."""
    cdef Py_ssize_t at
    for at in range(size):
        if LOWER[one[at]] != LOWER[other[at]]:
            return False
    return True


cdef int identify(Octets name, Py_ssize_t size, uint32_t hashed) noexcept:
    """The place in KEYS of the name that a line begins with."""
    cdef int number
    if size == 1:
        return BY_LETTER[name[0]]
    while True:
        number = BY_HASH[hashed & 255]
        if number == UNKNOWN:
            return UNKNOWN
        if SIZES[number] == size and (
            memcmp(name, SPELLED[number], size) == 0 or is_same_name(name, <Octets>SPELLED[number], size)
        ):
            return number
        hashed += 1

# ---- lines ---------------------------------------------------------------------------------------------------

cdef struct Line:
    int32_t start
    int32_t name_size
    int32_t value  # without white space around it
    int32_t value_end
    int32_t end  # its CRLF begins here
    uint8_t number
    uint8_t is_folded


cdef bint index_line(Octets p, Py_ssize_t start, Py_ssize_t end, Line* line) noexcept:
    """Find the parts of a header line; False when it has no name."""
    cdef Py_ssize_t at = start, value_end = end
    cdef uint32_t hashed = 0
    cdef uint8_t letter
    while at < end:
        letter = LOWER[p[at]]
        if not letter:
            break
        hashed = hashed * 33 ^ letter
        at += 1
    if at == start:
        return False
    line.start = start
    line.name_size = at - start
    line.number = identify(p + start, at - start, hashed)
    at = skip_space(p, at, end)
    if at == end or p[at] != 58:  # :
        return False
    at = skip_space(p, at + 1, end)
    while value_end > at and (p[value_end - 1] == 32 or p[value_end - 1] == 9):
        value_end -= 1
    line.value = at
    line.value_end = value_end
    line.end = end
    line.is_folded = False
    return True


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


cdef Py_ssize_t count_commas(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    cdef Py_ssize_t found = 0
    cdef const void* comma = memchr(p + at, 44, end - at)
    while comma != NULL:
        found += 1
        at = <Octets>comma - p + 1
        comma = memchr(p + at, 44, end - at)
    return found


def is_response(bytes data):
    """Whether what begins here is a status line."""
    cdef Octets p = <Octets>PyBytes_AS_STRING(data)
    cdef Py_ssize_t at = 0, end = PyBytes_GET_SIZE(data)
    while end - at > 1 and p[at] == 13 and p[at + 1] == 10:
        at += 2
    return end - at > 3 and p[at + 3] == 47 and is_same_name(p + at, b"SIP", 3)


@cython.no_gc  # it holds nothing that could hold it
cdef class Head:
    """A start line, header lines, a body; typed values are made once and kept."""

    cdef public str method, reason, _uri_text
    cdef public int status
    cdef public bytes body
    cdef uint8_t* octets  # all lines, each with its CRLF; what changes is written anew at the end
    cdef Py_ssize_t used, room
    cdef Line* lines
    cdef Py_ssize_t count, line_room
    cdef object kept_uri, kept_vias, kept_from, kept_to, kept_call_id, kept_cseq
    cdef object kept_contacts, kept_routes, kept_record_routes

    def __cinit__(self):
        self.method = self.reason = self._uri_text = EMPTY
        self.body = b""

    def __dealloc__(self):
        free(self.octets)
        free(self.lines)

    # -- room

    cdef int reserve(self, Py_ssize_t size) except -1:
        """Make room for so many octets more."""
        cdef Py_ssize_t room
        cdef void* moved
        if self.room - self.used < size:
            room = max(2 * self.room, self.used + size + 256)
            moved = realloc(self.octets, room)
            if moved == NULL:
                raise MemoryError
            self.octets = <uint8_t*>moved
            self.room = room
        return 0

    cdef int reserve_line(self) except -1:
        """Make room for one line more."""
        cdef Py_ssize_t room
        cdef void* moved
        if self.count == self.line_room:
            room = max(16, 2 * self.line_room)
            moved = realloc(self.lines, room * sizeof(Line))
            if moved == NULL:
                raise MemoryError
            self.lines = <Line*>moved
            self.line_room = room
        return 0

    # -- reading

    def _read(self, bytes data, limits):
        """Read a whole message; octets after its Content-Length are not its own (§18.3)."""
        cdef Py_ssize_t message_size, header_count, header_size, via_count
        message_size, header_count, header_size, via_count = limits
        if not self.read_usual(data, message_size, header_count, header_size, via_count):
            self.adopt(data, limits)

    cdef int read_usual(
        self, bytes data, Py_ssize_t message_size, Py_ssize_t header_count, Py_ssize_t header_size, Py_ssize_t via_count
    ) except -1:
        """One pass over the lines; False for whatever is not quite usual."""
        cdef Octets p = <Octets>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data), at = 0, first, base, stop, line_ends = 1, vias = 0
        cdef const void* newline
        cdef Line* line = NULL
        if size > message_size:
            return False
        while size - at > 1 and p[at] == 13 and p[at + 1] == 10:  # §7.5
            at += 2
        first = at
        newline = memchr(p + at, 10, size - at)
        if newline == NULL:
            return False
        stop = <Octets>newline - p - 1
        if stop - at > header_size or stop < at or p[stop] != 13 or not self.read_start(p, at, stop):
            return False
        base = at = stop + 2
        while True:
            newline = memchr(p + at, 10, size - at)
            if newline == NULL:
                return False
            stop = <Octets>newline - p - 1
            if stop < at or p[stop] != 13:
                return False
            if stop == at:
                break
            if p[at] == 32 or p[at] == 9:  # folded
                if line == NULL:
                    return False
                line.end = stop - base
                line.is_folded = True
            else:
                self.reserve_line()
                line = &self.lines[self.count]
                self.count += 1
                if self.count > header_count or not index_line(p + base, at - base, stop - base, line):
                    return False
                vias += line.number == VIA
            if line.number == VIA:
                vias += count_commas(p, at, stop)
            if line.end - line.start > header_size or vias > via_count:
                return False
            line_ends += 1
            at = stop + 2
        if count_controls(p + first, at - first) != 2 * line_ends:
            return False
        self.reserve(at - base)
        memcpy(self.octets, p + base, at - base)
        self.used = at - base
        return self.cut_body(p, stop + 2, size)

    cdef bint read_start(self, Octets p, Py_ssize_t at, Py_ssize_t end):
        cdef Py_ssize_t start = at
        cdef const void* space
        if end - at >= 11 and memcmp(p + at, b"SIP/2.0 ", 8) == 0:
            at += 8
            self.status = read_number(p, &at, end)
            if at - start != 11 or not 100 <= self.status < 700 or (at < end and p[at] != 32):
                return False
            self.reason = text_of(p, at + 1, end) if at < end else EMPTY
            return True
        at = skip_class(p, at, end, IS_TOKEN)
        if at == start or end - at < 10 or p[at] != 32 or memcmp(p + end - 8, b" SIP/2.0", 8) != 0:
            return False
        self.method = ascii(p, start, at)
        at += 1
        end -= 8
        if at >= end or memchr(p + at, 32, end - at) != NULL or memchr(p + at, 9, end - at) != NULL:
            return False
        self._uri_text = text_of(p, at, end)
        return True

    cdef bint cut_body(self, Octets p, Py_ssize_t start, Py_ssize_t size):
        cdef Py_ssize_t place, at, length = size - start
        cdef Line* line = NULL
        for place in range(self.count):
            if self.lines[place].number == CONTENT_LENGTH:
                if line != NULL:
                    return False
                line = &self.lines[place]
        if line != NULL:
            at = line.value
            length = read_number(self.octets, &at, line.value_end)
            if line.is_folded or at != line.value_end or not 0 <= length <= size - start:
                return False
        self.body = PyBytes_FromStringAndSize(<const char*>p + start, length)
        return True

    cdef int adopt(self, bytes data, limits) except -1:
        """Let the plain twin read, and take over what it found."""
        if head is None:
            _bind()
        self.used = self.count = 0
        plain = head.PlainHead()
        plain._read(data, limits)
        self.method, self._uri_text, self.body = plain.method, plain._uri_text, plain.body
        self.status, self.reason = plain.status, plain.reason
        for _, text in plain._lines:
            self.write_raw(text.encode("utf-8", "surrogateescape"))
        return 0

    cdef int write_raw(self, bytes data) except -1:
        """Add a line that the plain twin has checked, folds and all."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data), end = data.find(b"\r\n")
        self.reserve(size + 2)
        self.reserve_line()
        memcpy(self.octets + self.used, PyBytes_AS_STRING(data), size)
        memcpy(self.octets + self.used + size, b"\r\n", 2)
        index_line(self.octets, self.used, self.used + (size if end < 0 else end), &self.lines[self.count])
        self.lines[self.count].end = self.used + size
        self.lines[self.count].is_folded = end >= 0
        self.used += size + 2
        self.count += 1
        return 0

    # -- asking

    cdef str text(self, Line* line):
        """The line's value on one line."""
        if line.is_folded:
            return unfold(text_of(self.octets, line.value, line.end))
        return text_of(self.octets, line.value, line.value_end)

    cdef Line* find(self, int number) noexcept:
        cdef Py_ssize_t at
        for at in range(self.count):
            if self.lines[at].number == number:
                return &self.lines[at]
        return NULL

    cdef Line* required(self, int number) except NULL:
        cdef Line* line = self.find(number)
        if line == NULL:
            raise RemoteProtocolError(f"{KEYS[number]} is missing")
        return line

    cdef list places(self, str name):
        """Where the lines of this name stand."""
        cdef int number = number_of(name)
        cdef bytes lowered
        cdef Py_ssize_t at, size
        if number != UNKNOWN:
            return [at for at in range(self.count) if self.lines[at].number == number]
        lowered = header_key(name).encode("utf-8", "surrogatepass")
        size = PyBytes_GET_SIZE(lowered)
        return [
            at
            for at in range(self.count)
            if self.lines[at].number == UNKNOWN and self.lines[at].name_size == size
            and is_same_name(self.octets + self.lines[at].start, <Octets>PyBytes_AS_STRING(lowered), size)
        ]

    def get(self, str name):
        """The first value of this name, on one line."""
        cdef int number = number_of(name)
        cdef Line* line
        if number != UNKNOWN:
            line = self.find(number)
            return None if line == NULL else self.text(line)
        for at in self.places(name):
            return self.text(&self.lines[<Py_ssize_t>at])
        return None

    def get_all(self, str name):
        """The value of each line of this name."""
        cdef Py_ssize_t at
        return [self.text(&self.lines[at]) for at in self.places(name)]

    def __contains__(self, str name):
        cdef int number = number_of(name)
        return self.find(number) != NULL if number != UNKNOWN else bool(self.places(name))

    cdef str name(self, Line* line):
        return ascii(self.octets, line.start, line.start + line.name_size)

    def items(self):
        """Names, as they were written, and values."""
        cdef Py_ssize_t at
        return iter([(self.name(&self.lines[at]), self.text(&self.lines[at])) for at in range(self.count)])

    def names(self):
        """The names of all lines: long and lower-case."""
        cdef Py_ssize_t at
        return [
            KEYS[self.lines[at].number] or header_key(self.name(&self.lines[at])) for at in range(self.count)
        ]

    # -- changing

    cdef void forget(self, int number):
        """Drop the typed values of what has changed."""
        if number == VIA:
            self.kept_vias = None
        elif number == FROM:
            self.kept_from = None
        elif number == TO:
            self.kept_to = None
        elif number == CALL_ID:
            self.kept_call_id = None
        elif number == CSEQ:
            self.kept_cseq = None
        elif number == CONTACT:
            self.kept_contacts = None
        elif number == ROUTE:
            self.kept_routes = None
        elif number == RECORD_ROUTE:
            self.kept_record_routes = None

    cdef int write(self, str name, object value, Line* line) except -1:
        """Write a line behind the others, checked; its owner puts it in its place."""
        cdef Py_ssize_t name_size, size
        cdef Octets text, name_text
        cdef str string = value if isinstance(value, str) else str(value)
        number = NUMBERS.get(name)
        if number is None:
            if head is None:
                _bind()
            head.check_name(name)
            number = number_of(name)
        name_text = <Octets>PyUnicode_AsUTF8AndSize(name, &name_size)
        kept = view(string, &text, &size)
        while size and (text[0] == 32 or text[0] == 9):
            text += 1
            size -= 1
        while size and (text[size - 1] == 32 or text[size - 1] == 9):
            size -= 1
        self.reserve(name_size + size + 4)
        line.start = self.used
        line.name_size = name_size
        line.number = number
        line.is_folded = False
        memcpy(self.octets + self.used, name_text, name_size)
        memcpy(self.octets + self.used + name_size, b": ", 2)
        line.value = self.used + name_size + 2
        line.value_end = line.end = line.value + size
        memcpy(self.octets + line.value, text, size)
        memcpy(self.octets + line.end, b"\r\n", 2)
        self.used = line.end + 2
        self.forget(line.number)
        return 0

    cpdef int add(self, str name, object value) except -1:
        """Add a header below the others."""
        cdef Line line
        self.write(name, value, &line)
        self.reserve_line()
        self.lines[self.count] = line
        self.count += 1
        return 0

    def _add_all(self, headers):
        """Add headers below the others."""
        for name, value in headers:
            self.add(name, value)

    def insert_first(self, str name, object value):
        """Add a header above the others."""
        cdef Line line
        self.write(name, value, &line)
        self.reserve_line()
        memmove(self.lines + 1, self.lines, self.count * sizeof(Line))
        self.lines[0] = line
        self.count += 1

    def set(self, str name, object value):
        """Replace all values of this name by one, where the first one stands."""
        cdef list places = self.places(name)
        cdef Line line
        if not places:
            self.add(name, value)
            return
        self.write(name, value, &line)
        self.lines[<Py_ssize_t>places[0]] = line
        self.drop(places[1:])

    def remove(self, str name):
        """Remove all values of this name."""
        self.drop(self.places(name))
        self.forget(number_of(name))

    cdef void drop(self, list places):
        cdef Py_ssize_t at
        for at in reversed(places):
            memmove(self.lines + at, self.lines + at + 1, (self.count - at - 1) * sizeof(Line))
            self.count -= 1

    def replace_top(self, str name, object value):
        """Replace the first value of this name and keep what follows it, in its line and in others."""
        cdef list places = self.places(name)
        cdef bytes rest = b""
        cdef Line line
        cdef Line* old
        if head is None:
            _bind()
        if not places:
            head.make_line(name, value)
            raise LocalProtocolError(f"there is no {name} to replace")
        old = &self.lines[<Py_ssize_t>places[0]]
        is_list = old.is_folded or memchr(self.octets + old.value, 44, old.value_end - old.value) != NULL
        self.write(name, value, &line)
        if is_list:
            old = &self.lines[<Py_ssize_t>places[0]]
            rest = head.rest_of_list(self.text(old)).encode("utf-8", "surrogateescape")
            self.extend(&line, <Octets>PyBytes_AS_STRING(rest), PyBytes_GET_SIZE(rest))
        self.lines[<Py_ssize_t>places[0]] = line

    cdef int extend(self, Line* line, Octets more, Py_ssize_t size) except -1:
        """Put more at the end of the line that stands last in the octets."""
        self.reserve(size)
        memcpy(self.octets + line.end, more, size)
        line.end += size
        line.value_end = line.end
        memcpy(self.octets + line.end, b"\r\n", 2)
        self.used = line.end + 2
        return 0

    def _copy(self, Head other, keys):
        """Take over the lines of these headers, unchanged and in the given order."""
        cdef Py_ssize_t at
        cdef int number
        for key in keys:
            number = NUMBERS[key]
            for at in range(other.count):
                if other.lines[at].number == number:
                    self.copy_line(other, other.lines[at])
            self.forget(number)

    def _copy_all(self, Head other):
        """Take over all lines, unchanged."""
        cdef Py_ssize_t at
        for at in range(other.count):
            self.copy_line(other, other.lines[at])

    cdef int copy_line(self, Head other, Line line) except -1:
        """Add another message's line with its CRLF; a copy, because lines may move here."""
        cdef Py_ssize_t size = line.end - line.start + 2
        cdef int32_t moved = self.used - line.start
        self.reserve(size)
        self.reserve_line()
        memcpy(self.octets + self.used, other.octets + line.start, size)
        line.start += moved
        line.value += moved
        line.value_end += moved
        line.end += moved
        self.lines[self.count] = line
        self.used += size
        self.count += 1
        return 0

    def _append(self, str key, str text):
        """Put more at the end of the first line of this name."""
        cdef int number = NUMBERS[key]
        cdef Octets more
        cdef Py_ssize_t size
        cdef Line line
        kept = view(text, &more, &size)
        self.copy_line(self, self.required(number)[0])  # to the end, where there is room behind it
        self.count -= 1
        line = self.lines[self.count]
        self.extend(&line, more, size)
        self.required(number)[0] = line
        self.forget(number)

    # -- writing

    def _pack(self, str start):
        """The message on the wire; this is the only place where one is written."""
        cdef Octets text
        cdef Py_ssize_t size, at, total, span
        cdef bytes message, length = b"Content-Length: %d\r\n\r\n" % PyBytes_GET_SIZE(self.body)
        cdef char* p
        kept = view(start, &text, &size)
        total = size + 2 + PyBytes_GET_SIZE(length) + PyBytes_GET_SIZE(self.body)
        for at in range(self.count):
            if self.lines[at].number != CONTENT_LENGTH:
                total += self.lines[at].end - self.lines[at].start + 2
        message = PyBytes_FromStringAndSize(NULL, total)
        p = PyBytes_AS_STRING(message)
        memcpy(p, text, size)
        memcpy(p + size, b"\r\n", 2)
        p += size + 2
        for at in range(self.count):
            if self.lines[at].number != CONTENT_LENGTH:
                span = self.lines[at].end - self.lines[at].start + 2
                memcpy(p, self.octets + self.lines[at].start, span)
                p += span
        memcpy(p, PyBytes_AS_STRING(length), PyBytes_GET_SIZE(length))
        memcpy(p + PyBytes_GET_SIZE(length), PyBytes_AS_STRING(self.body), PyBytes_GET_SIZE(self.body))
        return message

    # -- typed values

    cdef object plain(self, int number, object parse, Line* line):
        return head.typed(KEYS[number], parse, self.text(line))

    cdef object address(self, int number):
        cdef Line* line = self.required(number)
        cdef Py_ssize_t at = line.value
        if not line.is_folded:
            value = read_name_addr(self.octets, &at, line.value_end)
            if value is not None and at == line.value_end:
                return value
        if head is None:
            _bind()
        return self.plain(number, headers.plain_parse_name_addr, line)

    cdef tuple listed(self, int number):
        """The values of all lines of a header that may be a list."""
        cdef list found = []
        cdef Py_ssize_t place
        for place in range(self.count):
            if self.lines[place].number == number:
                self.read_list(number, &self.lines[place], found)
        return tuple(found)

    cdef int read_list(self, int number, Line* line, list found) except -1:
        cdef Py_ssize_t at = line.value, before = len(found)
        while not line.is_folded:
            value = read_via(self.octets, &at, line.value_end) if number == VIA else \
                read_name_addr(self.octets, &at, line.value_end)
            if value is None:
                break
            found.append(value)
            if at == line.value_end:
                return 0
            at += 1  # the comma
        del found[before:]
        if head is None:
            _bind()
        found.extend(self.plain(number, headers.parse_vias if number == VIA else headers.parse_name_addrs, line))
        return 0

    @property
    def uri(self):
        """The Request-URI."""
        if self.kept_uri is None:
            if head is None:
                _bind()
            self.kept_uri = head.typed("Request-URI", parse_uri, self._uri_text)
        return self.kept_uri

    @uri.setter
    def uri(self, value):
        if head is None:
            _bind()
        self._uri_text = head.check_uri_text(str(value))
        self.kept_uri = None

    @property
    def vias(self):
        """The hops that the request took, the last one first."""
        if self.kept_vias is None:
            self.kept_vias = self.listed(VIA)
        return self.kept_vias

    @property
    def via(self):
        """The top Via."""
        if not self.vias:
            raise RemoteProtocolError("via is missing")
        return self.kept_vias[0]

    @via.setter
    def via(self, value):
        self.replace_top("Via", value)

    @property
    def from_(self):
        """From."""
        if self.kept_from is None:
            self.kept_from = self.address(FROM)
        return self.kept_from

    @property
    def to(self):
        """To."""
        if self.kept_to is None:
            self.kept_to = self.address(TO)
        return self.kept_to

    @property
    def from_tag(self):
        """The tag of From."""
        return tag_of(self.from_)

    @property
    def to_tag(self):
        """The tag of To."""
        return tag_of(self.to)

    @property
    def call_id(self):
        """Call-ID."""
        cdef Line* line
        cdef Py_ssize_t at
        if self.kept_call_id is None:
            line = self.required(CALL_ID)
            at = line.value
            while at < line.value_end and 32 < self.octets[at] < 127:
                at += 1
            if not line.is_folded and at == line.value_end and at > line.value:
                self.kept_call_id = ascii(self.octets, line.value, at)
            else:
                if head is None:
                    _bind()
                self.kept_call_id = self.plain(CALL_ID, head.parse_call_id, line)
        return self.kept_call_id

    @property
    def cseq(self):
        """CSeq."""
        cdef Line* line
        if self.kept_cseq is None:
            line = self.required(CSEQ)
            self.kept_cseq = None if line.is_folded else read_cseq(self.octets, line.value, line.value_end)
            if self.kept_cseq is None:
                if head is None:
                    _bind()
                self.kept_cseq = self.plain(CSEQ, headers.parse_cseq, line)
        return self.kept_cseq

    @property
    def max_forwards(self):
        """Max-Forwards, None when it is not there."""
        cdef Line* line = self.find(MAX_FORWARDS)
        cdef Py_ssize_t at, number
        if line == NULL:
            return None
        at = line.value
        number = read_number(self.octets, &at, line.value_end)
        if not line.is_folded and at == line.value_end and 0 <= number <= 255:
            return number
        if head is None:
            _bind()
        return self.plain(MAX_FORWARDS, head.parse_max_forwards, line)

    @property
    def contacts(self):
        """All contacts; none for ``*``."""
        if self.kept_contacts is None:
            self.kept_contacts = () if self.contact_is_star else self.listed(CONTACT)
        return self.kept_contacts

    @property
    def contact_is_star(self):
        """Whether the contact is ``*``: all of them (§10.2.2)."""
        return self.find(CONTACT) != NULL and self.get_all("contact") == ["*"]

    @property
    def routes(self):
        """The way that the request shall take."""
        if self.kept_routes is None:
            self.kept_routes = self.listed(ROUTE)
        return self.kept_routes

    @property
    def record_routes(self):
        """The proxies that want to see the dialog's requests."""
        if self.kept_record_routes is None:
            self.kept_record_routes = self.listed(RECORD_ROUTE)
        return self.kept_record_routes


cdef object tag_of(object address):
    """The tag among an address's parameters."""
    cdef tuple pair
    for pair in <tuple>address[2]:
        if len(<str>pair[0]) == 3:  # perhaps "TAG", or a quoted value
            if pair[0] is TAG and pair[1] is not None and (<str>pair[1])[0] != u'"':
                return pair[1]
            return find_param(address[2], "tag")
    return None


cdef object view(str text, Octets* p, Py_ssize_t* size):
    """Point at the octets of a text that may be written; the owner keeps what is returned while it looks at them."""
    cdef Py_ssize_t at
    cdef bytes data
    try:
        p[0] = <Octets>PyUnicode_AsUTF8AndSize(text, size)
        kept = text
    except UnicodeEncodeError:  # broken UTF-8 that came in
        if head is None:
            _bind()
        data = head.encode(text)
        p[0], size[0] = <Octets>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)
        kept = data
    if count_controls(p[0], size[0]):
        if head is None:
            _bind()
        head.check_writable(text)
    return kept
