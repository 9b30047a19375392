# cython: wraparound=False, boundscheck=False
"""The compiled twin of the message layer's hot part: ``Head``, ``parse_uri``, ``parse_name_addr``.

It reads the usual form only. Whatever is folded, escaped, oddly spaced or wrong goes to the plain twin,
which knows all forms and all errors: so the answers of both are the same by construction.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.string cimport memchr, memcmp, memcpy

from ._lines cimport KEYS, number_of
from ._parts cimport CALL_ID, CONTACT, CONTENT_TYPE, CSEQ, FROM, KEPT, MAX_FORWARDS, RECORD_ROUTE, ROUTE, TO, UNKNOWN, VIA, Line, mark_line
from ._spans cimport Octets, Params, UriParts, find_uri, is_word, read_number, skip_space, skip_token
from ._values cimport (
    PyUnicode_1BYTE_DATA, PyUnicode_New, ascii, make_address, make_uri, method_name, read_address, read_cseq, read_hop, read_uri,
    uri_text,
)
from ._written cimport Written, put, write_number

from ..errors import RemoteProtocolError
from .grammar import find_param

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef enum:
    NEEDED = 1 << VIA | 1 << FROM | 1 << TO | 1 << CALL_ID | 1 << CSEQ

cdef tuple USUAL_TYPES = ("application/sdp", "application/dtmf-relay", "message/sipfrag")
cdef object head = None, headers = None, matching = None, uri = None


cdef int bind() except -1:
    """Get the plain twins at the first use: their modules import this one."""
    global head, headers, matching, uri
    from . import head, headers, matching, uri
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
    value = read_address(<Octets>PyBytes_AS_STRING(data), &at, end)
    if value is not None and at == end:
        return value
    if headers is None:
        bind()
    return headers.plain_parse_name_addr(text)


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


@cython.no_gc
cdef class Head(Written):
    """A start line, header lines, a body; typed values are made when they are asked for, and kept."""

    # -- what is where

    cdef bint mark(self, int number) noexcept:
        """Whether the parts of the first line of this header are known."""
        cdef Line* line
        if self.parts.marked >> number & 1:
            return True
        line = self.find(number)
        if line == NULL:
            return False
        self.kept_from_tag = self.kept_to_tag = self.kept_call_id = None
        return mark_line(&self.parts, self.octets, line)

    cpdef _from_tag(self):
        """The tag of From."""
        if not self.mark(FROM) or self.parts.sender.params.is_odd:
            return tag_of(self.single(FROM))
        if self.kept_from_tag is None and self.parts.sender.params.value:
            self.kept_from_tag = ascii(self.octets, self.parts.sender.params.value, self.parts.sender.params.value_end)
        return self.kept_from_tag

    cpdef _to_tag(self):
        """The tag of To."""
        if not self.mark(TO) or self.parts.receiver.params.is_odd:
            return tag_of(self.single(TO))
        if self.kept_to_tag is None and self.parts.receiver.params.value:
            self.kept_to_tag = ascii(self.octets, self.parts.receiver.params.value, self.parts.receiver.params.value_end)
        return self.kept_to_tag

    cpdef str _call_id(self):
        """Call-ID."""
        if not self.mark(CALL_ID):
            return self.single(CALL_ID)
        if self.kept_call_id is None:
            self.kept_call_id = ascii(self.octets, self.parts.id, self.parts.id_end)
        return self.kept_call_id

    cpdef long long _number(self) except -1:
        """The number of CSeq."""
        return self.parts.sequence_number if self.mark(CSEQ) else self.single(CSEQ)[0]

    cpdef str _method_of_number(self):
        """The method of CSeq."""
        if not self.mark(CSEQ):
            return self.single(CSEQ)[1]
        return method_name(self.octets, self.parts.sequence_method, self.parts.sequence_end)

    # -- where it belongs

    cpdef _top_branch(self):
        """The branch of the top Via."""
        if not self.mark(VIA) or self.parts.top.params.is_odd:
            return find_param((<tuple>self._top_via())[3], "branch")
        return ascii(self.octets, self.parts.top.params.value, self.parts.top.params.value_end) if self.parts.top.params.value else None

    cpdef bint is_sent_by(self, str sent_by) except -1:
        """Whether the top Via names this host and port."""
        cdef Py_ssize_t size
        cdef Octets octets = <Octets>PyUnicode_AsUTF8AndSize(sent_by, &size)
        if self.mark(VIA) and self.parts.top.port_end - self.parts.top.host == size:
            if memcmp(octets, self.octets + self.parts.top.host, size) == 0:
                return True
        return plain().is_sent_by(self, sent_by)

    cpdef str _contact_uri(self):
        """The URI of the first Contact; None: there is none, or they are all."""
        if self.mark(CONTACT):
            return ascii(self.octets, self.parts.contact, self.parts.contact_end)
        return plain()._contact_uri(self)

    def contact_host(self):
        """The host in the URI of the first Contact; None: there is none, or they are all."""
        cdef UriParts parts
        if self.mark(CONTACT) and find_uri(self.octets, self.parts.contact, self.parts.contact_end, &parts):
            return ascii(self.octets, parts.host, parts.host_end)
        return plain().contact_host(self)

    cpdef bint has_contact(self) except -1:
        """Whether there is a Contact that is an address."""
        return self.mark(CONTACT) or plain().has_contact(self)

    cpdef str transaction_key(self):
        """What a request and its retransmissions have in common; an ACK has its INVITE's (RFC 3261 §17.2.3)."""
        cdef Params* params = &self.parts.top.params
        cdef str method = "INVITE" if self.method == "ACK" else self.method
        if (
            not self.mark(VIA) or params.is_odd or params.value_end - params.value < 8
            or memcmp(self.octets + params.value, b"z9hG4bK", 7) != 0
        ):
            return plain().transaction_key(self)
        return join(
            self.octets + params.value, params.value_end - params.value,
            self.octets + self.parts.top.host, self.parts.top.port_end - self.parts.top.host, method,
        )

    cpdef str merge_key(self):
        """What two copies of a request have in common that came by different ways (RFC 3261 §8.2.2.2)."""
        cdef str tag = self._from_tag()
        if not self.mark(CALL_ID) or not self.mark(CSEQ) or not tag:
            return plain().merge_key(self)
        return join(
            self.octets + self.parts.sequence, self.parts.sequence_end - self.parts.sequence,
            self.octets + self.parts.id, self.parts.id_end - self.parts.id, tag,
        )

    cpdef stamp(self, tuple source):
        """Write into the top Via where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4)."""
        cdef Params* params = &self.parts.top.params
        cdef Py_ssize_t host_size, size
        cdef char digits[24]
        cdef int port_size
        cdef Line* line
        cdef Octets host
        cdef char* begin
        cdef char* place
        if not self.mark(VIA) or params.is_odd or not params.rport or params.has_received:
            plain().stamp(self, source)
            return
        host = <Octets>PyUnicode_AsUTF8AndSize(source[0], &host_size)
        port_size = write_number(source[1], digits + 24)
        line = self.find(VIA)
        size = line.value_end - line.start + 11 + host_size + port_size
        if self.room - self.used < size + 2:
            self.reserve(size + 2)
        begin = <char*>self.octets
        place = put(begin + self.used, begin + line.start, params.start - line.start)
        place = put(put(place, b";received=", 10), <const char*>host, host_size)
        place = put(put(place, begin + params.start, params.rport - params.start), b"=", 1)
        place = put(place, digits + 24 - port_size, port_size)
        put(put(place, begin + params.rport, line.value_end - params.rport), b"\r\n", 2)
        line.value += self.used - line.start
        line.start = self.used
        line.end = line.value_end = line.start + size
        self.used += size + 2
        params.rport = 0  # what else was found stays true
        params.has_received = True
        if self.kept is not None:
            self.kept[VIA] = None

    cpdef int reply_port(self) except -1:
        """The port at its source's host that the answer to a datagram goes to; 0: the one that it came from."""
        if not self.mark(VIA) or self.parts.top.params.is_odd:
            return plain().reply_port(self)
        if self.parts.top.params.has_rport:
            return 0
        return self.parts.top.port if self.parts.top.port > 0 else 5060

    cpdef bint lacks_to_tag(self) except -1:
        """Whether To wants our tag; one that nobody can read is repeated as it is."""
        if self.mark(TO) and not self.parts.receiver.params.is_odd:
            return self.parts.receiver.params.value == 0
        return plain().lacks_to_tag(self)

    cpdef tuple whose(self, str name):
        """The scheme, the unescaped user and the host of From or To, without the address being made."""
        cdef int number = FROM if name == "From" else TO
        cdef UriParts* parts = &self.parts.sender.parts if number == FROM else &self.parts.receiver.parts
        cdef str user = None
        if not self.mark(number):
            return plain().whose(self, name)
        if parts.user_end > parts.user:
            if memchr(self.octets + parts.user, c"%", parts.user_end - parts.user) != NULL:
                return plain().whose(self, name)
            user = ascii(self.octets, parts.user, parts.user_end)
        return "sips" if parts.is_secure else "sip", user, ascii(self.octets, parts.host, parts.host_end)

    cpdef list branches(self):
        """The branch of each hop, the last one first; None for one that has none."""
        if self.is_sound and self.parts.hops == 1 and not self.parts.top.params.is_odd:
            return [self._top_branch()]
        return plain().branches(self)

    cpdef bint lists(self, str name, str option) except -1:
        """Whether a comma-separated header names this option."""
        cdef Py_ssize_t size, at, end, place
        cdef Octets wanted = <Octets>PyUnicode_AsUTF8AndSize(option, &size)
        cdef int number = number_of(name)
        cdef bint found = False
        cdef Line* line
        if number == UNKNOWN:
            return plain().lists(self, name, option)
        if self.find(number) == NULL:
            return False
        for place in range(self.count):
            line = &self.lines[place]
            if line.number != number:
                continue
            if line.is_folded:
                return plain().lists(self, name, option)
            at = line.value
            while True:
                at = skip_space(self.octets, at, line.value_end)
                end = skip_token(self.octets, at)
                found |= end - at == size and memcmp(self.octets + at, wanted, size) == 0
                at = skip_space(self.octets, end, line.value_end)
                if at == line.value_end:
                    break
                if self.octets[at] != c",":
                    return plain().lists(self, name, option)
                at += 1
        return found

    cpdef str _usual_type(self):
        """The body's type/subtype if it is one that is usual."""
        cdef Line* line = self.find(CONTENT_TYPE)
        cdef Py_ssize_t size
        cdef str kind
        if line != NULL and not line.is_folded:
            size = line.value_end - line.value
            for kind in USUAL_TYPES:
                if PyUnicode_GET_LENGTH(kind) == size:
                    if memcmp(self.octets + line.value, PyUnicode_1BYTE_DATA(kind), size) == 0:
                        return kind
        return None

    # -- typed values

    cdef object single(self, int number):
        """The value of a header that stands once."""
        cdef Line* line
        if self.kept is None:
            self.kept = [None] * KEPT
        value = self.kept[number]
        if value is not None:
            return value
        if self.mark(number):
            if number == FROM:
                value = make_address(self.octets, &self.parts.sender)
            elif number == TO:
                value = make_address(self.octets, &self.parts.receiver)
            elif number == CSEQ:
                value = read_cseq(self.octets, self.parts.sequence, self.parts.sequence_end)
            else:
                value = self._call_id()
        else:
            line = self.find(number)
            if line == NULL:
                raise RemoteProtocolError(f"{KEYS[number]} is missing")
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
                value = read_hop(self.octets, &at, line.value_end)
            else:
                value = read_address(self.octets, &at, line.value_end)
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

    # -- checks

    cpdef tuple _record_routes(self):
        """The proxies that want to see the dialog's requests."""
        return () if self.find(RECORD_ROUTE) == NULL else self.listed(RECORD_ROUTE)

    cpdef _check_typed(self):
        """Make the values that RFC 3261 §8.1.1 wants; each raises when it is missing or malformed."""
        if not self.listed(VIA):
            raise RemoteProtocolError("via is missing")
        self.single(FROM)
        self.single(TO)
        self.single(CALL_ID)
        self.single(CSEQ)
        self.max_forwards
        if not self._is_star():
            self.listed(CONTACT)
        self.listed(ROUTE)
        self.listed(RECORD_ROUTE)

    cpdef bint _is_sound(self) except -1:
        """Whether all that ``validate`` wants is there in its usual form; False: it has to look itself."""
        if not self.is_sound or self.parts.marked & NEEDED != NEEDED:
            return False
        if self.status:
            return self.parts.hops == 1
        return self.has_own_method() and self.parts.target_end > 0

    cdef bint has_own_method(self) noexcept:
        """Whether CSeq names the method of the request."""
        cdef Py_ssize_t size = self.parts.sequence_end - self.parts.sequence_method
        return size == PyUnicode_GET_LENGTH(self.method) and \
            memcmp(self.octets + self.parts.sequence_method, PyUnicode_1BYTE_DATA(self.method), size) == 0

    @property
    def uri(self):
        """The Request-URI."""
        if self.kept_uri is None and self.parts.target_end:
            self.kept_uri = make_uri(self.octets, &self.parts.uri, self.parts.target_end)
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
        self._set_uri(value)

    cpdef _set_uri(self, value):
        cdef str text = value if isinstance(value, str) else uri_text(value) if isinstance(value, tuple) else str(value)
        if not is_visible(text):
            if head is None:
                bind()
            head.check_uri_text(text)
        self._uri_text = text
        self.kept_uri = None
        self.parts.target_end = 0

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
        return self._from_tag()

    @property
    def to_tag(self):
        """The tag of To."""
        return self._to_tag()

    @property
    def call_id(self):
        """Call-ID."""
        return self._call_id()

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
        return () if self._is_star() else self.listed(CONTACT)

    @property
    def contact_is_star(self):
        """Whether the contact is ``*``: all of them (§10.2.2)."""
        return self._is_star()

    cdef bint _is_star(self) except -1:
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


cdef object plain():
    """The plain twin of what finds where a message belongs."""
    if matching is None:
        bind()
    return matching.Matched


cdef bint is_visible(str text) noexcept:
    """Whether the text is visible ASCII and nothing else."""
    return PyUnicode_IS_ASCII(text) and is_word(<Octets>PyUnicode_1BYTE_DATA(text), 0, PyUnicode_GET_LENGTH(text))


cdef str join(Octets one, Py_ssize_t one_size, Octets two, Py_ssize_t two_size, str three):
    """Three pieces of ASCII with spaces between them."""
    cdef str text = PyUnicode_New(one_size + two_size + PyUnicode_GET_LENGTH(three) + 2, 127)
    cdef char* p = <char*>PyUnicode_1BYTE_DATA(text)
    memcpy(p, one, one_size)
    p[one_size] = c" "
    p += one_size + 1
    memcpy(p, two, two_size)
    p[two_size] = c" "
    memcpy(p + two_size + 1, PyUnicode_1BYTE_DATA(three), PyUnicode_GET_LENGTH(three))
    return text
