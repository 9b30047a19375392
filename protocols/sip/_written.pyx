# cython: wraparound=False, boundscheck=False
"""A whole message: read from octets in one pass, and written to them (RFC 3261 §7)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.string cimport memchr, memcmp

from ._lines cimport Lines, find_line_end, view
from ._parts cimport CALL_ID, CONTENT_LENGTH, CSEQ, FROM, RECORD_ROUTE, TIMESTAMP, TO, VIA, Line
from ._spans cimport Octets, find_uri, has_controls, read_number, skip_token
from ._values cimport ascii, method_name, text_of

cdef object head = None


cdef int bind() except -1:
    """Get the plain twin at the first use: its module imports this one."""
    global head
    from . import head
    return 0


cdef Py_ssize_t skip_line_ends(Octets p, Py_ssize_t end) noexcept:
    """The place of the start line (§7.5)."""
    cdef Py_ssize_t at = 0
    while end - at > 1 and p[at] == c"\r" and p[at + 1] == c"\n":
        at += 2
    return at


cdef int write_number(Py_ssize_t number, char* end) noexcept:
    """Write digits that end in front of this place; how many."""
    cdef int size = 0
    while number or size == 0:
        size += 1
        end[-size] = c"0" + <char>(number % 10)
        number //= 10
    return size


cdef enum:
    REPEATED = 1 << VIA | 1 << FROM | 1 << TO | 1 << CALL_ID | 1 << CSEQ  # §8.2.6.2


cdef inline bint is_among(int number, uint32_t wanted) noexcept:
    """Whether a header is one of these."""
    return number < 32 and wanted >> number & 1


cdef class Written(Lines):
    """A start line, header lines, a body."""

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
        """Read and check all in one pass; False for whatever is not quite usual."""
        cdef Octets p = <Octets>PyBytes_AS_STRING(data)
        cdef Py_ssize_t message_size = limits[0], header_count = limits[1], header_size = limits[2], hops = limits[3]
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data), first, stop
        if size > message_size:
            return False
        first = skip_line_ends(p, size)
        stop = find_line_end(p, first, size)
        if stop < 0 or stop - first > header_size or not self.read_start(p, first, stop):
            return False
        self.octets = p
        self.source = data
        self.used = self.index_all(p, stop + 2, size, header_count, header_size, hops)
        return self.used >= 0 and self.cut_body(p, self.used + 2, size)

    cdef bint read_start(self, Octets p, Py_ssize_t start, Py_ssize_t end) except -1:
        """Read a request line or a status line in its usual form."""
        cdef Py_ssize_t at = start
        if end - at >= 11 and memcmp(p + at, b"SIP/2.0 ", 8) == 0:
            at += 8
            self.status = read_number(p, &at, end)
            if at - start != 11 or not 100 <= self.status < 700 or has_controls(p + at, end - at):
                return False
            self.reason = text_of(p, at + 1, end) if at < end else ""
            return at == end or p[at] == c" "
        at = skip_token(p, at)
        end -= 8
        if at == start or at + 1 >= end or p[at] != c" " or memcmp(p + end, b" SIP/2.0", 8) != 0:
            return False
        self.method = method_name(p, start, at)
        at += 1
        if find_uri(p, at, end, &self.parts.uri):
            self.parts.target, self.parts.target_end = at, end
            self._uri_text = ascii(p, at, end)
            return True
        self._uri_text = text_of(p, at, end)
        return memchr(p + at, c" ", end - at) == NULL and memchr(p + at, c"\t", end - at) == NULL and \
            not has_controls(p + at, end - at)

    cdef bint cut_body(self, Octets p, Py_ssize_t start, Py_ssize_t size) except -1:
        """Take as much of the rest as Content-Length says."""
        cdef Py_ssize_t length = size - start
        if self.parts.marked >> CONTENT_LENGTH & 1:
            if self.parts.length > length:
                return False
            length = self.parts.length
        self.body = PyBytes_FromStringAndSize(<const char*>p + start, length)
        return True

    cdef int adopt(self, bytes data, limits) except -1:
        """Let the plain twin read, and take over what it found."""
        if head is None:
            bind()
        self.used = self.count = self.parts.target_end = 0
        self.source = None
        self.forget_all()
        plain = head.PlainHead()
        plain._read(data, limits)
        self.method, self._uri_text, self.body = plain.method, plain._uri_text, plain.body
        self.status, self.reason = plain.status, plain.reason
        for _, line in plain._lines:
            self.add_octets(line.encode("utf-8", "surrogateescape"))
        return 0

    # -- writing

    cpdef _pack(self, str first, str second, str third):
        """The message on the wire, with a start line of these; only here one is written."""
        cdef Octets texts[3]
        cdef Py_ssize_t sizes[3]
        cdef char digits[24]
        cdef Py_ssize_t at, total, start = 0, span = 0, body = PyBytes_GET_SIZE(self.body)
        cdef int place = 24 - write_number(body, digits + 24)
        cdef bytes message
        cdef char* p
        one, two = view(first, &texts[0], &sizes[0]), view(second, &texts[1], &sizes[1])
        three = view(third, &texts[2], &sizes[2])
        total = sizes[0] + sizes[1] + sizes[2] + 4 + 16 + 24 - place + 4 + body
        for at in range(self.count):
            if self.lines[at].number != CONTENT_LENGTH:
                total += self.lines[at].end - self.lines[at].start + 2
        message = PyBytes_FromStringAndSize(NULL, total)
        p = PyBytes_AS_STRING(message)
        p = put(put(p, <const char*>texts[0], sizes[0]), b" ", 1)
        p = put(put(p, <const char*>texts[1], sizes[1]), b" ", 1)
        p = put(put(p, <const char*>texts[2], sizes[2]), b"\r\n", 2)
        for at in range(self.count):
            if self.lines[at].number == CONTENT_LENGTH:
                continue
            if self.lines[at].start != start + span:  # it does not lie behind the one before
                p = put(p, <const char*>self.octets + start, span)
                start, span = self.lines[at].start, 0
            span += self.lines[at].end - self.lines[at].start + 2
        p = put(p, <const char*>self.octets + start, span)
        p = put(p, b"Content-Length: ", 16)
        p = put(put(p, digits + place, 24 - place), b"\r\n\r\n", 4)
        put(p, PyBytes_AS_STRING(self.body), body)
        return message

    cpdef bytes _reply(self, int status, str reason, str to_tag, headers, bytes body):
        """An answer on the wire: what it repeats as it came (§8.2.6.2), and these headers."""
        cdef Py_ssize_t used = self.used
        cdef Line line
        try:
            for name, value in headers:  # behind our own lines, for as long as it takes
                self.write(name, value, &line)
                if line.number == CONTENT_LENGTH:
                    self.used = line.start
            return self.pack_reply(status, reason, to_tag, used, body)
        finally:
            self.used = used

    cdef bytes pack_reply(self, int status, str reason, str to_tag, Py_ssize_t added, bytes body):
        """The answer's octets; its own headers are those from ``added`` on."""
        cdef uint32_t wanted = REPEATED
        cdef Octets phrase, tag = NULL
        cdef Py_ssize_t phrase_size, tag_size = 0, at, start = 0, span = 0, total = 0, body_size = len(body)
        cdef char digits[48]
        cdef int status_size = write_number(status, digits + 24), length_size = write_number(body_size, digits + 48)
        cdef const char* octets = <const char*>self.octets
        cdef Line* line
        cdef bytes message
        cdef char* p
        kept = view(reason, &phrase, &phrase_size)
        if to_tag is not None:
            kept_tag = view(to_tag, &tag, &tag_size)
        if status == 100:
            wanted |= 1 << TIMESTAMP  # §8.2.6.1
        elif status < 300:
            wanted |= 1 << RECORD_ROUTE  # §12.1.1
        for at in range(self.count):
            line = &self.lines[at]
            if is_among(line.number, wanted):
                total += line.end - line.start + 2
        if tag != NULL and self.find(TO) != NULL:
            total += 5 + tag_size
        total += 8 + status_size + 1 + phrase_size + 2 + self.used - added + 16 + length_size + 4 + body_size
        message = PyBytes_FromStringAndSize(NULL, total)
        p = put(PyBytes_AS_STRING(message), b"SIP/2.0 ", 8)
        p = put(put(p, digits + 24 - status_size, status_size), b" ", 1)
        p = put(put(p, <const char*>phrase, phrase_size), b"\r\n", 2)
        for at in range(self.count):
            line = &self.lines[at]
            if not is_among(line.number, wanted):
                continue
            if line.start != start + span:  # it does not lie behind the one before
                p = put(p, octets + start, span)
                start, span = line.start, 0
            if line.number == TO and tag != NULL:
                p = put(p, octets + start, line.end - start)
                p = put(put(p, b";tag=", 5), <const char*>tag, tag_size)
                tag = NULL
                start, span = line.end, 0
            span = line.end + 2 - start
        p = put(p, octets + start, span)
        p = put(p, octets + added, self.used - added)
        p = put(put(put(p, b"Content-Length: ", 16), digits + 48 - length_size, length_size), b"\r\n\r\n", 4)
        put(p, PyBytes_AS_STRING(body), body_size)
        return message

