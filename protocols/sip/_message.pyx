# cython: wraparound=False, boundscheck=False
"""The compiled twin of the message layer's hot part: ``Head``, ``parse_uri``, ``parse_name_addr``.

It reads the usual form only. Whatever is folded, escaped, oddly spaced or wrong goes to the plain twin,
which knows all forms and all errors: so the answers of both are the same by construction.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy

from ._lines cimport (
    CALL_ID, CONTACT, CONTENT_LENGTH, CONTENT_TYPE, CSEQ, FROM, KEPT, KEYS, MAX_FORWARDS, RECORD_ROUTE, ROUTE, TO,
    UNKNOWN, VIA, Line, Lines, is_same_name, view,
)
from ._values cimport (
    Octets, ascii, count_controls, read_cseq, read_name_addr, read_number, read_uri, read_via, skip_space, skip_token,
    text_of,
)

from ..errors import RemoteProtocolError
from .grammar import find_param

cdef object head = None, headers = None, uri = None


cdef int bind() except -1:
    """Get the plain twins at the first use: their modules import this one."""
    global head, headers, uri
    from . import head, headers, uri
    return 0


cdef bytes octets_of(str text):
    """The text's octets; none for what no octets could have been, which the plain twin refuses."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return b""


def parse_uri(str text):
    """The URI that the whole text is; RemoteProtocolError when it is none."""
    cdef bytes data = octets_of(text)
    value = read_uri(<Octets>PyBytes_AS_STRING(data), 0, PyBytes_GET_SIZE(data))
    if value is not None:
        return value
    if uri is None:
        bind()
    return uri.plain_parse_uri(text)


def parse_name_addr(str text):
    """The address that the whole text is; RemoteProtocolError when it is none."""
    cdef bytes data = octets_of(text)
    cdef Py_ssize_t at = 0, end = PyBytes_GET_SIZE(data)
    value = read_name_addr(<Octets>PyBytes_AS_STRING(data), &at, end)
    if value is not None and at == end:
        return value
    if headers is None:
        bind()
    return headers.plain_parse_name_addr(text)


def is_response(bytes data):
    """Whether what begins here is a status line."""
    cdef Octets p = <Octets>PyBytes_AS_STRING(data)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data), at = skip_line_ends(p, end)
    return end - at > 3 and p[at + 3] == c"/" and is_same_name(p + at, b"SIP", 3)


cdef Py_ssize_t skip_line_ends(Octets p, Py_ssize_t end) noexcept:
    """The place of the start line (§7.5)."""
    cdef Py_ssize_t at = 0
    while end - at > 1 and p[at] == c"\r" and p[at + 1] == c"\n":
        at += 2
    return at


cdef Py_ssize_t find_line_end(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    """The place of the next CRLF; -1 when there is none, or a lone LF."""
    cdef const void* found = memchr(p + at, c"\n", end - at)
    cdef Py_ssize_t stop = -1 if found == NULL else <Octets>found - p - 1
    return stop if stop >= at and p[stop] == c"\r" else -1


cdef Py_ssize_t count_commas(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    cdef Py_ssize_t count = 0
    for at in range(at, end):
        count += p[at] == c","
    return count


cdef object tag_of(object address):
    """The tag among an address's parameters."""
    cdef tuple pair
    cdef str value
    for pair in <tuple>(<tuple>address)[2]:
        if len(<str>pair[0]) == 3:  # perhaps "TAG", or a quoted value
            value = pair[1]
            if pair[0] == "tag" and value and value[0] != c'"':
                return value
            return find_param((<tuple>address)[2], "tag")
    return None


cdef class Head(Lines):
    """A start line, header lines, a body; typed values are made once and kept."""

    def __cinit__(self):
        self.method = self.reason = self._uri_text = ""
        self.body = b""

    # -- reading

    cpdef _read(self, bytes data, limits):
        """Read a whole message; octets after its Content-Length are not its own (§18.3)."""
        if not isinstance(limits, tuple) or len(limits) != 4:
            raise TypeError("limits are not Limits")
        if not self.read_usual(data, <tuple>limits):
            self.adopt(data, limits)

    cdef bint read_usual(self, bytes data, tuple limits) except -1:
        """One pass over the lines; False for whatever is not quite usual."""
        cdef Octets p = <Octets>PyBytes_AS_STRING(data)
        cdef Py_ssize_t message_size = limits[0], header_count = limits[1], header_size = limits[2], vias = limits[3]
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data), line_ends = 1, first, base, at, stop
        cdef Line* line = NULL
        if size > message_size:
            return False
        first = skip_line_ends(p, size)
        stop = find_line_end(p, first, size)
        if stop < 0 or stop - first > header_size or not self.read_start(p, first, stop):
            return False
        base = at = stop + 2
        while True:
            stop = find_line_end(p, at, size)
            if stop < 0:
                return False
            if stop == at:
                break
            if p[at] != c" " and p[at] != c"\t":
                if self.count == header_count or not self.index(p + base, at - base, stop - base):
                    return False
                line = &self.lines[self.count - 1]
                vias -= line.number == VIA
            elif line == NULL:
                return False
            else:  # folded
                line.end = stop - base
                line.is_folded = True
            if line.number == VIA:
                vias -= count_commas(p, at, stop)
            if line.end - line.start > header_size or vias < 0:
                return False
            line_ends += 1
            at = stop + 2
        if count_controls(p + first, at - first) != 2 * line_ends:
            return False
        self.reserve(at - base + 1)  # some memory even for no lines
        memcpy(self.octets, p + base, at - base)
        self.used = at - base
        return self.cut_body(p, stop + 2, size)

    cdef bint read_start(self, Octets p, Py_ssize_t start, Py_ssize_t end) except -1:
        """Read a request line or a status line in its usual form."""
        cdef Py_ssize_t at = start
        if end - at >= 11 and memcmp(p + at, b"SIP/2.0 ", 8) == 0:
            at += 8
            self.status = read_number(p, &at, end)
            self.reason = text_of(p, at + 1, end) if at < end else ""
            return at - start == 11 and 100 <= self.status < 700 and (at == end or p[at] == c" ")
        at = skip_token(p, at, end)
        end -= 8
        if at == start or at + 1 >= end or p[at] != c" " or memcmp(p + end, b" SIP/2.0", 8) != 0:
            return False
        self.method = ascii(p, start, at)
        self._uri_text = text_of(p, at + 1, end)
        return memchr(p + at + 1, c" ", end - at - 1) == NULL and memchr(p + at, c"\t", end - at) == NULL

    cdef bint cut_body(self, Octets p, Py_ssize_t start, Py_ssize_t size) except -1:
        """Take as much of the rest as the only Content-Length says."""
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
            bind()
        self.used = self.count = 0
        plain = head.PlainHead()
        plain._read(data, limits)
        self.method, self._uri_text, self.body = plain.method, plain._uri_text, plain.body
        self.status, self.reason = plain.status, plain.reason
        for _, line in plain._lines:
            self.add_octets(line.encode("utf-8", "surrogateescape"))
        return 0

    # -- writing

    cpdef _pack(self, str start):
        """The message on the wire."""
        return self.pack(start)

    cdef bytes pack(self, str start):
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

    cdef object single(self, int number):
        """The value of a header that stands once."""
        cdef Line* line
        cdef Py_ssize_t at
        if self.kept is None:
            self.kept = [None] * KEPT
        value = self.kept[number]
        if value is not None:
            return value
        line = self.find(number)
        if line == NULL:
            raise RemoteProtocolError(f"{KEYS[number]} is missing")
        at = line.value
        if not line.is_folded:
            if number == CSEQ:
                value = read_cseq(self.octets, at, line.value_end)
            elif number == CALL_ID:
                value = read_word(self.octets, at, line.value_end)
            else:
                value = read_name_addr(self.octets, &at, line.value_end)
                value = value if at == line.value_end else None
        if value is None:
            if head is None:
                bind()
            parse = head.parse_call_id if number == CALL_ID else \
                headers.parse_cseq if number == CSEQ else headers.plain_parse_name_addr
            value = head.typed(KEYS[number], parse, self.text(line))
        self.kept[number] = value
        return value

    cdef tuple listed(self, int number):
        """The values of all lines of a header that may be a list."""
        cdef list found
        cdef Py_ssize_t place
        if self.kept is None:
            self.kept = [None] * KEPT
        value = self.kept[number]
        if value is None:
            found = []
            for place in range(self.count):
                if self.lines[place].number == number:
                    self.read_list(number, &self.lines[place], found)
            value = self.kept[number] = tuple(found)
        return value

    cdef int read_list(self, int number, Line* line, list found) except -1:
        """Add the values of this line."""
        cdef Py_ssize_t at = line.value, before = len(found)
        while not line.is_folded:
            if number == VIA:
                value = read_via(self.octets, &at, line.value_end)
            else:
                value = read_name_addr(self.octets, &at, line.value_end)
            if value is None:
                break
            found.append(value)
            if at == line.value_end:
                return 0
            at += 1  # the comma
        del found[before:]
        if head is None:
            bind()
        parse = headers.parse_vias if number == VIA else headers.parse_name_addrs
        found.extend(head.typed(KEYS[number], parse, self.text(line)))
        return 0

    cpdef _check_typed(self):
        """Make the values that RFC 3261 §8.1.1 wants; each raises when it is missing or malformed."""
        self.check_typed()

    cdef int check_typed(self) except -1:
        """Make the values that RFC 3261 §8.1.1 wants; each raises when it is missing or malformed."""
        if not self.listed(VIA):
            raise RemoteProtocolError("via is missing")
        self.single(FROM)
        self.single(TO)
        self.single(CALL_ID)
        self.single(CSEQ)
        self.max_forwards
        if self.find(CONTACT) != NULL and not self.contact_is_star:
            self.listed(CONTACT)
        if self.find(ROUTE) != NULL:
            self.listed(ROUTE)
        if self.find(RECORD_ROUTE) != NULL:
            self.listed(RECORD_ROUTE)
        return 0

    cpdef _is_sound(self):
        """Whether all that ``validate`` wants is there in its usual form; False: it has to look itself."""
        if self.double():
            return False
        self.check_typed()
        if not self.has_usual_type():
            return False
        if self.status:
            return len(self.listed(VIA)) == 1
        return (<tuple>self.single(CSEQ))[1] == self.method and not (<tuple>self.uri)[6]

    cdef bint has_usual_type(self) noexcept:
        """Whether Content-Type is type/subtype without spaces, or not there."""
        cdef Line* line = self.find(CONTENT_TYPE)
        cdef Py_ssize_t at, middle
        if line == NULL:
            return True
        if line.is_folded or line.value_end - line.value > 200:
            return False
        middle = skip_token(self.octets, line.value, line.value_end)
        if middle == line.value or middle == line.value_end or self.octets[middle] != c"/":
            return False
        at = skip_token(self.octets, middle + 1, line.value_end)
        if at == middle + 1:
            return False
        at = skip_space(self.octets, at, line.value_end)
        return at == line.value_end or self.octets[at] == c";"

    @property
    def uri(self):
        """The Request-URI."""
        if self.kept_uri is None:
            try:
                self.kept_uri = parse_uri(self._uri_text)
            except RemoteProtocolError:
                if head is None:
                    bind()
                self.kept_uri = head.typed("Request-URI", parse_uri, self._uri_text)  # the error says where
        return self.kept_uri

    @uri.setter
    def uri(self, value):
        cdef str text = str(value)
        if not is_word(text):
            if head is None:
                bind()
            head.check_uri_text(text)
        self._uri_text = text
        self.kept_uri = None

    @property
    def vias(self):
        """The hops that the request took, the last one first."""
        return self.listed(VIA)

    cpdef _top_via(self):
        """The top Via."""
        cdef tuple vias = self.listed(VIA)
        if not vias:
            raise RemoteProtocolError("via is missing")
        return vias[0]

    @property
    def from_(self):
        """From."""
        return self.single(FROM)

    @property
    def to(self):
        """To."""
        return self.single(TO)

    @property
    def from_tag(self):
        """The tag of From."""
        return tag_of(self.single(FROM))

    @property
    def to_tag(self):
        """The tag of To."""
        return tag_of(self.single(TO))

    @property
    def call_id(self):
        """Call-ID."""
        return self.single(CALL_ID)

    @property
    def cseq(self):
        """CSeq."""
        return self.single(CSEQ)

    @property
    def max_forwards(self):
        """Max-Forwards, None when it is not there."""
        cdef Line* line = self.find(MAX_FORWARDS)
        cdef Py_ssize_t at, hops
        if line == NULL:
            return None
        at = line.value
        if not line.is_folded and line.value_end - at in (1, 2, 3):
            hops = read_number(self.octets, &at, line.value_end)
            if at == line.value_end and 0 <= hops <= 255:
                return hops
        if head is None:
            bind()
        return head.typed(KEYS[MAX_FORWARDS], head.parse_max_forwards, self.text(line))

    @property
    def contacts(self):
        """All contacts; none for ``*``."""
        return () if self.contact_is_star else self.listed(CONTACT)

    @property
    def contact_is_star(self):
        """Whether the contact is ``*``: all of them (§10.2.2)."""
        cdef Line* line = self.find(CONTACT)
        if line == NULL or (not line.is_folded and line.value_end - line.value != 1):
            return False
        return self.text(line) == "*" and len(self._places("contact")) == 1

    @property
    def routes(self):
        """The way that the request shall take."""
        return self.listed(ROUTE)

    @property
    def record_routes(self):
        """The proxies that want to see the dialog's requests."""
        return self.listed(RECORD_ROUTE)


cdef bint is_word(str text) except -1:
    """Whether the text is visible ASCII and nothing else."""
    cdef Py_UCS4 letter
    for letter in text:
        if not 32 < letter < 127:
            return False
    return len(text) > 0


cdef str read_word(Octets p, Py_ssize_t start, Py_ssize_t end):
    """Visible ASCII, None for anything else."""
    cdef Py_ssize_t at
    for at in range(start, end):
        if not 32 < p[at] < 127:
            return None
    return ascii(p, start, end) if start < end else None
