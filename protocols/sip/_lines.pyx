# cython: wraparound=False, boundscheck=False
"""Header lines in one piece of memory, with an index of where their parts are (RFC 3261 §7.3)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove

from ._spans cimport has_controls, skip_space
from ._values cimport PyUnicode_1BYTE_DATA, ascii, text_of

from .grammar import COMPACT, SINGLE, TOKEN_LETTERS, header_key, unfold

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

# ---- names -------------------------------------------------------------------------------------------------

cdef enum:
    MOST_NAMES = 128

KEYS = ["", "via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "", "content-length",
        "max-forwards", "content-type", "timestamp"]
cdef str OTHERS = """accept accept-encoding accept-language alert-info allow authentication-info authorization
    call-info content-language date diversion error-info expires flow-timer history-info in-reply-to max-breadth p-asserted-identity
    p-early-media p-preferred-identity path privacy proxy-authenticate proxy-authorization proxy-require reason
    remote-party-id require retry-after server service-route session-id unsupported user-agent user-to-user warning
    www-authenticate"""
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
cdef uint8_t BY_SHAPE[256]  # by the usual spelling
cdef uint8_t BY_LETTER[256]  # compact forms
cdef uint8_t IS_SINGLE[MOST_NAMES]  # may stand only once in a message
cdef uint8_t LOWER[256]  # a token's letters in lower case; 0 for what is none


cdef int fill_tables() except -1:
    for letter in TOKEN_LETTERS.encode():
        LOWER[letter] = ord(bytes([letter]).lower())
    KEYS.extend(sorted({*SINGLE, *COMPACT.values(), *OTHERS.split()}.difference(KEYS)))
    assert len(KEYS) <= MOST_NAMES
    for number, key in enumerate(KEYS):
        if key:
            add_name(number, key)
    for compact, key in COMPACT.items():
        for spelled in (compact, compact.upper()):
            NUMBERS[spelled] = BY_LETTER[ord(spelled)] = NUMBERS[key]
    return 0


cdef int add_name(int number, str key) except -1:
    cdef uint32_t hashed = 0
    cdef bytes spelled
    name = ODD_CASE.get(key) or "-".join([word.capitalize() for word in key.split("-")])
    spelled = name.encode()
    USUAL.append(spelled)
    SPELLED[number] = PyBytes_AS_STRING(spelled)
    SIZES[number] = len(spelled)
    NUMBERS[name] = NUMBERS[key] = number
    IS_SINGLE[number] = key in SINGLE
    for letter in key.encode():
        hashed = hashed * 33 ^ <uint8_t>letter
    while BY_HASH[hashed & 255]:
        hashed += 1
    BY_HASH[hashed & 255] = number
    if BY_SHAPE[shape(<Octets>SPELLED[number], SIZES[number])] == UNKNOWN:
        BY_SHAPE[shape(<Octets>SPELLED[number], SIZES[number])] = number
    return 0


fill_tables()


cdef inline uint8_t shape(Octets name, Py_ssize_t size) noexcept:
    """What tells most names apart."""
    return <uint8_t>(7 * size + 13 * name[0] + 31 * name[size - 1])


cdef int number_of(str name) except -1:
    cdef int number = usual_number(name)
    if number != UNKNOWN:
        return number
    found = NUMBERS.get(name)
    return NUMBERS.get(header_key(name), UNKNOWN) if found is None else found


cdef int usual_number(str name) noexcept:
    """The place in KEYS of a name in its usual spelling; UNKNOWN for any other."""
    cdef Py_ssize_t size
    cdef Octets octets
    cdef int number
    if not name or not PyUnicode_IS_ASCII(name):
        return UNKNOWN
    size = PyUnicode_GET_LENGTH(name)
    octets = <Octets>PyUnicode_1BYTE_DATA(name)
    number = BY_SHAPE[shape(octets, size)]
    return number if SIZES[number] == size and memcmp(octets, SPELLED[number], size) == 0 else UNKNOWN


cdef int checked_number(str name) except -1:
    """The place in KEYS of a name that is to be written, whatever its spelling."""
    known = NUMBERS.get(name)
    if known is None:
        from .head import check_name
        check_name(name)
        known = number_of(name)
    return known


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

cdef inline void find_value(Octets p, Py_ssize_t at, Py_ssize_t end, Line* line) noexcept:
    """Find the value behind the colon."""
    at = skip_space(p, at, end)
    while end > at and (p[end - 1] == c" " or p[end - 1] == c"\t"):
        end -= 1
    line.value = at
    line.value_end = end


cdef bint index_line(Octets p, Py_ssize_t start, Py_ssize_t end, Line* line) noexcept:
    """Find the parts of a header line; False when it has no name."""
    cdef Py_ssize_t at = start, size
    cdef int number
    cdef uint32_t hashed = 0
    cdef uint8_t letter
    cdef const void* colon = memchr(p + start, c":", end - start)
    if colon != NULL:  # as nearly all write it
        size = <Octets>colon - p - start
        number = BY_SHAPE[shape(p + start, size)] if size else UNKNOWN
        if number != UNKNOWN and SIZES[number] == size and memcmp(p + start, SPELLED[number], size) == 0:
            line.start, line.name_size, line.number, line.end, line.is_folded = start, size, number, end, False
            find_value(p, start + size + 1, end, line)
            return True
    while at < end:
        letter = LOWER[p[at]]
        if not letter:
            break
        hashed = hashed * 33 ^ letter
        at += 1
    line.start = start
    line.name_size = at - start
    line.end = end
    line.is_folded = False
    if at == start:
        return False
    line.number = identify(p + start, at - start, hashed)
    at = skip_space(p, at, end)
    if at == end or p[at] != c":":
        return False
    find_value(p, at + 1, end, line)
    return True


cdef object view(str text, Octets* p, Py_ssize_t* size):
    """Point at the octets of a text that may be written; the caller keeps what is returned while it looks."""
    cdef bytes data
    if text is not None and PyUnicode_IS_ASCII(text):
        p[0], size[0] = <Octets>PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text)
        if not has_controls(p[0], size[0]):
            return text
    try:
        p[0] = <Octets>PyUnicode_AsUTF8AndSize(text, size)
        kept = text
    except UnicodeEncodeError:  # broken UTF-8 that came in, or what cannot be encoded at all
        from .head import encode
        kept = data = encode(text)
        p[0], size[0] = <Octets>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)
    if has_controls(p[0], size[0]):
        from .head import check_writable
        check_writable(text)
    return kept


cdef class Lines:
    """The header lines of a message, in their order."""

    def __dealloc__(self):
        free(self.octets)
        free(self.lines)

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

    cdef Line* new_line(self) except NULL:
        """A line more; all pointers to other lines are void."""
        cdef Py_ssize_t room
        cdef void* moved
        if self.count == self.line_room:
            room = max(16, 2 * self.line_room)
            moved = realloc(self.lines, room * sizeof(Line))
            if moved == NULL:
                raise MemoryError
            self.lines = <Line*>moved
            self.line_room = room
        self.count += 1
        return &self.lines[self.count - 1]

    cdef bint index(self, Octets p, Py_ssize_t start, Py_ssize_t end) except -1:
        """Add a line of octets that will be ours; False when it has no name."""
        return index_line(p, start, end, self.new_line())

    cdef int add_octets(self, bytes line) except -1:
        """Add a line that the plain twin has checked, folds and all."""
        cdef Py_ssize_t start = self.used, size = PyBytes_GET_SIZE(line), first = line.find(b"\r\n")
        self.reserve(size + 2)
        memcpy(self.octets + start, PyBytes_AS_STRING(line), size)
        memcpy(self.octets + start + size, b"\r\n", 2)
        self.index(self.octets, start, start + (size if first < 0 else first))
        self.lines[self.count - 1].end = start + size
        self.lines[self.count - 1].is_folded = first >= 0
        self.used += size + 2
        return 0

    cdef Line* find(self, int number) noexcept:
        cdef Py_ssize_t at
        for at in range(self.count):
            if self.lines[at].number == number:
                return &self.lines[at]
        return NULL

    cdef str text(self, Line* line):
        """The line's value on one line."""
        if line.is_folded:
            return unfold(text_of(self.octets, line.value, line.end))
        return text_of(self.octets, line.value, line.value_end)

    cpdef get(self, str name):
        """The first value of this name, on one line."""
        cdef int number = number_of(name)
        cdef Line* line
        if number != UNKNOWN:
            line = self.find(number)
            return None if line == NULL else self.text(line)
        places = self._places(name)
        return self._text(places[0]) if places else None

    def __contains__(self, str name):
        cdef int number = number_of(name)
        return self.find(number) != NULL if number != UNKNOWN else bool(self._places(name))

    cpdef _text(self, Py_ssize_t at):
        """The value of this line."""
        if not 0 <= at < self.count:
            raise IndexError(at)
        return self.text(&self.lines[at])

    cpdef _places(self, str name):
        """Where the lines of this name stand."""
        cdef int number = number_of(name)
        cdef bytes key
        cdef Py_ssize_t at, size
        if number != UNKNOWN:
            return [at for at in range(self.count) if self.lines[at].number == number]
        key = header_key(name).encode("utf-8", "surrogatepass")
        size = PyBytes_GET_SIZE(key)
        return [
            at
            for at in range(self.count)
            if self.lines[at].number == UNKNOWN and self.lines[at].name_size == size
            and is_same_name(self.octets + self.lines[at].start, <Octets>PyBytes_AS_STRING(key), size)
        ]

    def _entries(self):
        """Of each line its key, its name as it was written, and its value."""
        cdef list found = []
        cdef Line line
        cdef Py_ssize_t at
        for at in range(self.count):
            line = self.lines[at]
            name = ascii(self.octets, line.start, line.start + line.name_size)
            found.append((KEYS[line.number] or header_key(name), name, self.text(&line)))
        return found

    def names(self):
        """The names of all lines: long and lower-case."""
        cdef list found = []
        cdef Line* line
        cdef Py_ssize_t at
        for at in range(self.count):
            line = &self.lines[at]
            key = KEYS[line.number]
            found.append(key or header_key(ascii(self.octets, line.start, line.start + line.name_size)))
        return found

    cpdef bint has_any(self, wanted) except -1:
        """Whether one of these headers is there; their names are long and lower-case."""
        cdef Line* line
        cdef Py_ssize_t at
        for at in range(self.count):
            line = &self.lines[at]
            key = KEYS[line.number]
            if (key or header_key(ascii(self.octets, line.start, line.start + line.name_size))) in wanted:
                return True
        return False

    cpdef _find_double(self):
        """The key of a header that stands again although it may stand only once."""
        cdef int number = self.double()
        return KEYS[number] if number else None

    cdef int double(self) noexcept:
        """The number of a header that stands again although it may stand only once; 0: there is none."""
        cdef uint64_t seen[2]
        cdef Py_ssize_t at
        cdef int number
        cdef uint64_t bit
        seen[0] = seen[1] = 0
        for at in range(self.count):
            number = self.lines[at].number
            bit = <uint64_t>1 << (number & 63)
            if IS_SINGLE[number] and seen[number >> 6] & bit:
                return number
            seen[number >> 6] |= bit
        return 0

    cdef int write(self, str name, object value, Line* line) except -1:
        """Write a checked line behind the others; the caller puts it in its place."""
        cdef Py_ssize_t name_size, size
        cdef Octets octets, name_octets
        cdef str text = value if isinstance(value, str) else str(value)
        cdef int number = usual_number(name)
        if number == UNKNOWN:
            number = checked_number(name)
            name_octets = <Octets>PyUnicode_AsUTF8AndSize(name, &name_size)
        else:
            name_octets, name_size = <Octets>SPELLED[number], SIZES[number]
        kept = view(text, &octets, &size)
        while size and (octets[0] == c" " or octets[0] == c"\t"):
            octets += 1
            size -= 1
        while size and (octets[size - 1] == c" " or octets[size - 1] == c"\t"):
            size -= 1
        if self.room - self.used < name_size + size + 4:
            self.reserve(name_size + size + 4)
        line.start = self.used
        line.name_size = name_size
        line.number = number
        line.is_folded = False
        line.value = line.start + name_size + 2
        line.value_end = line.end = line.value + size
        memcpy(self.octets + line.start, name_octets, name_size)
        memcpy(self.octets + line.value - 2, b": ", 2)
        memcpy(self.octets + line.value, octets, size)
        memcpy(self.octets + line.end, b"\r\n", 2)
        self.used = line.end + 2
        return 0

    cdef int extend(self, Line* line, Octets more, Py_ssize_t size) except -1:
        """Put more at the end of the line that was written last."""
        self.reserve(size)
        memcpy(self.octets + line.end, more, size)
        line.end += size
        line.value_end = line.end
        memcpy(self.octets + line.end, b"\r\n", 2)
        self.used = line.end + 2
        return 0

    cpdef add(self, str name, object value):
        """Add a header below the others."""
        cdef Line line
        self.write(name, value, &line)
        self.forget(line.number)
        self.new_line()[0] = line

    cpdef _add_all(self, headers):
        """Add headers below the others."""
        cdef Line line
        for name, value in headers:
            self.write(name, value, &line)
            self.forget(line.number)
            self.new_line()[0] = line

    cpdef _insert(self, Py_ssize_t at, str name, object value, str rest=""):
        """Put a header in this place; the rest of its list, which came in, is not checked again."""
        cdef Line line
        cdef bytes more
        if not 0 <= at <= self.count:
            raise IndexError(at)
        self.write(name, value, &line)
        self.forget(line.number)
        if rest:
            more = rest.encode("utf-8", "surrogateescape")
            self.extend(&line, <Octets>PyBytes_AS_STRING(more), PyBytes_GET_SIZE(more))
        self.new_line()
        memmove(&self.lines[at + 1], &self.lines[at], (self.count - 1 - at) * sizeof(Line))
        self.lines[at] = line

    cpdef _drop(self, list places):
        """Remove these lines."""
        cdef Py_ssize_t at
        for at in reversed(places):
            if not 0 <= at < self.count:
                raise IndexError(at)
            self.forget(self.lines[at].number)
            memmove(&self.lines[at], &self.lines[at + 1], (self.count - at - 1) * sizeof(Line))
            self.count -= 1

    cdef int copy_line(self, Lines other, Line line) except -1:
        """Add another message's line with its CRLF; a copy of it, because lines may move here."""
        cdef Py_ssize_t size = line.end - line.start + 2
        cdef int32_t moved = self.used - line.start
        self.reserve(size)
        memcpy(self.octets + self.used, other.octets + line.start, size)
        self.used += size
        line.start += moved
        line.value += moved
        line.value_end += moved
        line.end += moved
        self.new_line()[0] = line
        return 0

    cpdef _copy_all(self, Lines other):
        """Take over all lines, unchanged."""
        cdef Py_ssize_t at
        for at in range(other.count):
            self.copy_line(other, other.lines[at])
        self.forget_all()

    cdef void forget(self, int number) noexcept:
        """A line of this name is another than before: what was read of it is void."""
        if number < KEPT:
            self.marked &= ~(<uint32_t>1 << number)
            if self.kept is not None:
                self.kept[number] = None

    cdef void forget_all(self) noexcept:
        self.marked = 0
        self.kept = None
