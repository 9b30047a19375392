# cython: wraparound=False, boundscheck=False
"""Header lines in one piece of memory, with an index of where their parts are (RFC 3261 §7.3)."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

from ._parts cimport CONTENT_LENGTH, KEPT, LOOKED_AT, UNKNOWN, VIA, is_usual
from ._spans cimport has_controls, skip_space
from ._values cimport PyUnicode_1BYTE_DATA, ascii, text_of

from .grammar import COMPACT, SINGLE, TOKEN_LETTERS, header_key, unfold

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

# ---- names -------------------------------------------------------------------------------------------------

cdef enum:
    MOST_NAMES = 128
    MOST_WANTED = 64

KEYS = ["", "via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "", "content-length",
        "max-forwards", "content-type", "timestamp"]
cdef str OTHERS = """accept accept-encoding accept-language alert-info allow authentication-info authorization
    call-info content-language date diversion error-info expires flow-timer history-info in-reply-to max-breadth p-asserted-identity
    accept-contact answer-mode p-called-party-id priv-answer-mode reject-contact resource-priority
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
cdef uint8_t BY_LETTER[256]  # compact forms
cdef uint8_t IS_SINGLE[MOST_NAMES]  # may stand only once in a message
cdef uint8_t LOWER[256]  # a token's letters in lower case; 0 for what is none

cdef struct Start:
    uint64_t[2] octets  # the usual spelling and its colon
    uint64_t[2] mask
    uint8_t another  # that begins alike

cdef Start STARTS[MOST_NAMES]
cdef uint8_t BY_START[256]  # by the first four octets of a line

cdef struct Asked:
    void* name
    uint8_t number, is_token

cdef Asked ASKED[1024]  # by the address of a string: those of a source are asked for again and again
cdef list ASKED_NAMES = [None] * 1024  # keeps them


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
    if len(spelled) < 16:
        add_start(number, spelled + b": ")
    return 0


cdef int add_start(int number, bytes line) except -1:
    """Let a line that begins like this be known by its name and colon."""
    cdef Start* start = &STARTS[number]
    cdef uint8_t place = start_of(<Octets>PyBytes_AS_STRING(line))
    memcpy(start.octets, PyBytes_AS_STRING(line), len(line) - 1)
    memset(start.mask, 255, len(line) - 1)
    start.another = BY_START[place]
    BY_START[place] = number
    return 0


cdef inline uint8_t start_of(Octets line) noexcept:
    cdef uint32_t four
    memcpy(&four, line, 4)
    return four * <uint32_t>2654435761 >> 24


fill_tables()


cdef inline int number_at(Octets line) noexcept:
    """The place in KEYS of the name in its usual spelling that 16 octets begin with; UNKNOWN for any other."""
    cdef uint64_t[2] octets
    cdef int number = BY_START[start_of(line)]
    cdef Start* start
    memcpy(octets, line, 16)
    while number != UNKNOWN:
        start = &STARTS[number]
        if not ((octets[0] ^ start.octets[0]) & start.mask[0] | (octets[1] ^ start.octets[1]) & start.mask[1]):
            return number
        number = start.another
    return UNKNOWN


cdef inline Asked* asked_for(str name) except NULL:
    """What is known of a name, whatever its spelling."""
    cdef Asked* asked = &ASKED[<size_t><void*>name >> 4 & 1023]
    return asked if asked.name == <void*>name else learn(name, asked)


cdef Asked* learn(str name, Asked* asked) except NULL:
    """Find out what is known of a name that was not asked for, or not lately."""
    known = NUMBERS.get(name)
    asked.number = NUMBERS.get(header_key(name), UNKNOWN) if known is None else known
    asked.is_token = known is not None
    asked.name = <void*>name
    ASKED_NAMES[asked - ASKED] = name
    return asked


cdef class Wanted:
    """Names that are looked for together."""

    cdef uint64_t[2] seen  # a bit for each, as Lines has them

    def __cinit__(self, names):
        cdef int number
        for name in names:
            number = number_of(name)
            self.seen[number >> 6] |= <uint64_t>1 << (number & 63)


cdef dict WANTED = {}  # by the names; those of a source are few


cdef Wanted wanted_of(frozenset names):
    """The names as bits."""
    wanted = WANTED.get(names)
    if wanted is None:
        if len(WANTED) >= MOST_WANTED:
            WANTED.clear()
        wanted = WANTED[names] = Wanted(names)
    return wanted


cdef int number_of(str name) except -1:
    """The place in KEYS of a name."""
    return asked_for(name).number


cdef inline int checked_number(str name) except -1:
    """The place in KEYS of a name that is to be written."""
    cdef Asked* asked = asked_for(name)
    if not asked.is_token:
        from .head import check_name
        check_name(name)
        asked.is_token = True
    return asked.number


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
        if SIZES[number] == size and is_same_name(name, <Octets>SPELLED[number], size):
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
    """Find the parts of a header line, however it is written; False when it has no name."""
    cdef Py_ssize_t at = start
    cdef uint32_t hashed = 0
    cdef uint8_t letter
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


cdef inline Py_ssize_t find_line_end(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    """The place of the next CRLF; -1 when there is none, or a lone LF."""
    cdef const void* found = memchr(p + at, c"\n", end - at)
    cdef Py_ssize_t stop = -1 if found == NULL else <Octets>found - p - 1
    return stop if stop >= at and p[stop] == c"\r" else -1


cdef Py_ssize_t count_commas(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    cdef Py_ssize_t count = 0
    cdef const void* found = memchr(p + at, c",", end - at)
    while found != NULL:
        count += 1
        at = <Octets>found - p + 1
        found = memchr(p + at, c",", end - at)
    return count


cdef int grow(Lines message) except -1:
    """Make room for more lines."""
    cdef Py_ssize_t room = max(16, 2 * message.line_room)
    cdef void* moved = PyMem_Realloc(message.lines, room * sizeof(Line))
    if moved == NULL:
        raise MemoryError
    message.lines = <Line*>moved
    message.line_room = room
    return 0


cdef inline Line* new_line(Lines message) except NULL:
    """A line more; all pointers to other lines are void."""
    if message.count == message.line_room:
        grow(message)
    message.count += 1
    return &message.lines[message.count - 1]


cdef inline int put_line(Lines message, Line* line) except -1:
    """Add a line that was written, below the others."""
    new_line(message)[0] = line[0]
    message.forget(line.number)
    return 0


cdef inline bint check_line(Lines message, Octets p, Line* line) noexcept:
    """Note whether a line that was just found is usual; False when nobody may take it so."""
    cdef int number = line.number
    cdef uint64_t* seen = &message.seen[number >> 6]
    cdef uint64_t bit = <uint64_t>1 << (number & 63)
    cdef bint is_first = not seen[0] & bit, is_known = UNKNOWN < number <= LOOKED_AT
    seen[0] |= bit
    if not is_first and IS_SINGLE[number]:
        message.is_sound = False
    if is_known and is_usual(&message.parts, p, line, is_first):
        return True  # and without controls
    if is_known:
        message.is_sound = False
    return number != CONTENT_LENGTH and not has_controls(p + line.value, line.value_end - line.value)


@cython.no_gc  # the one in the .pxd is for whoever extends it
cdef class Lines:
    """The header lines of a message, in their order."""

    def __dealloc__(self):
        if self.room:
            free(<void*>self.octets)
        PyMem_Free(self.lines)

    cdef int reserve(self, Py_ssize_t size) except -1:
        """Make room for so many octets more; they are our own from now on."""
        cdef Py_ssize_t room
        cdef void* moved
        if self.room - self.used < size or self.room == 0:
            room = max(2 * self.room, self.used + size + 640)
            moved = realloc(<void*>self.octets if self.room else NULL, room)
            if moved == NULL:
                raise MemoryError
            if self.room == 0 and self.used:
                memcpy(moved, self.octets, self.used)
            self.octets = <Octets>moved
            self.room = room
            self.source = None
        return 0

    cdef Py_ssize_t index_all(self, Octets p, Py_ssize_t at, Py_ssize_t size, Py_ssize_t count, Py_ssize_t most,
                              Py_ssize_t hops) except -2:
        """Index and check the lines of octets that are kept; the place behind them, -1 when one is not quite usual.

        There are at most so many lines and hops, and in a line so many octets.
        """
        cdef Py_ssize_t stop
        cdef Line* line = NULL
        cdef int number = UNKNOWN
        self.is_sound = True
        while True:
            stop = find_line_end(p, at, size)
            if stop <= at:
                return stop
            if p[at] != c" " and p[at] != c"\t":
                if self.count == count:
                    return -1
                line = new_line(self)
                number = number_at(p + at) if size - at >= 16 else UNKNOWN
                if number != UNKNOWN:
                    line.start, line.name_size, line.number, line.end, line.is_folded = at, SIZES[number], number, stop, False
                    find_value(p, at + SIZES[number] + 1, stop, line)
                elif index_line(p, at, stop, line):
                    number = line.number
                else:
                    return -1
                self.parts.hops += number == VIA
                if not check_line(self, p, line):
                    return -1
            elif line == NULL or number == CONTENT_LENGTH or has_controls(p + at, stop - at):
                return -1
            else:  # folded
                line.end = stop
                line.is_folded = True
                self.forget(number)
            if number == VIA:
                self.parts.hops += count_commas(p, at, stop)
                if self.parts.hops > hops:
                    return -1
            if stop - line.start > most:
                return -1
            at = stop + 2

    cdef int add_octets(self, bytes line) except -1:
        """Add a line that the plain twin has checked, folds and all."""
        cdef Py_ssize_t start = self.used, size = PyBytes_GET_SIZE(line), first = line.find(b"\r\n")
        cdef Line found
        self.reserve(size + 2)
        memcpy(<void*>(self.octets + start), PyBytes_AS_STRING(line), size)
        memcpy(<void*>(self.octets + start + size), b"\r\n", 2)
        index_line(self.octets, start, start + (size if first < 0 else first), &found)
        found.end = start + size
        found.is_folded = first >= 0
        put_line(self, &found)
        self.used += size + 2
        return 0

    cdef Line* find(self, int number) noexcept:
        """The first line of this name."""
        cdef Line* line = self.lines
        cdef Line* end
        if not self.seen[number >> 6] >> (number & 63) & 1:
            return NULL
        end = line + self.count
        while line != end:
            if line.number == number:
                return line
            line += 1
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

    cpdef bint has_any(self, frozenset wanted) except -1:
        """Whether one of these headers is there; their names are long and lower-case."""
        cdef str name
        cdef int number
        cdef Wanted names = wanted_of(wanted)
        if not (self.seen[0] & names.seen[0] | self.seen[1] & names.seen[1]):
            return False
        for name in wanted:
            number = number_of(name)
            if self.find(number) != NULL and (KEYS[number] == name if number != UNKNOWN else name in self.names()):
                return True
        return False

    cpdef _find_double(self):
        """The key of a header that stands again although it may stand only once."""
        cdef uint64_t[2] seen
        cdef Py_ssize_t at
        cdef int number
        seen[0] = seen[1] = 0
        for at in range(self.count):
            number = self.lines[at].number
            if IS_SINGLE[number] and seen[number >> 6] >> (number & 63) & 1:
                return KEYS[number]
            seen[number >> 6] |= <uint64_t>1 << (number & 63)
        return None

    cdef int write(self, str name, object value, Line* line) except -1:
        """Write a checked line behind the others; the caller puts it in its place."""
        cdef Py_ssize_t name_size, size
        cdef Octets octets
        cdef char* place
        cdef str text = value if isinstance(value, str) else str(value)
        line.number = checked_number(name)  # so it is ASCII
        name_size = PyUnicode_GET_LENGTH(name)
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
        line.is_folded = False
        line.value = line.start + name_size + 2
        line.value_end = line.end = line.value + size
        place = <char*>self.octets + line.start
        memcpy(place, PyUnicode_1BYTE_DATA(name), name_size)
        memcpy(place + name_size, b": ", 2)
        memcpy(place + name_size + 2, octets, size)
        memcpy(place + name_size + 2 + size, b"\r\n", 2)
        self.used = line.end + 2
        return 0

    cdef int extend(self, Line* line, Octets more, Py_ssize_t size) except -1:
        """Put more at the end of the line that was written last."""
        self.reserve(size)
        memcpy(<void*>(self.octets + line.end), more, size)
        line.end += size
        line.value_end = line.end
        memcpy(<void*>(self.octets + line.end), b"\r\n", 2)
        self.used = line.end + 2
        return 0

    cpdef add(self, str name, object value):
        """Add a header below the others."""
        cdef Line line
        self.write(name, value, &line)
        put_line(self, &line)

    cpdef _add_all(self, headers):
        """Add headers below the others."""
        cdef Line line
        for name, value in headers:
            self.write(name, value, &line)
            put_line(self, &line)

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
        new_line(self)
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
        memcpy(<void*>(self.octets + self.used), other.octets + line.start, size)
        self.used += size
        line.start += moved
        line.value += moved
        line.value_end += moved
        line.end += moved
        return put_line(self, &line)

    cpdef _copy_all(self, Lines other):
        """Take over all lines, unchanged."""
        cdef Py_ssize_t at
        for at in range(other.count):
            self.copy_line(other, other.lines[at])
        self.forget_all()

    cdef void forget(self, int number) noexcept:
        """A line of this name is another than before: what was read of it is void."""
        self.is_sound = False
        self.seen[number >> 6] |= <uint64_t>1 << (number & 63)
        if number < KEPT:
            self.parts.marked &= ~(<uint32_t>1 << number)
            if self.kept is not None:
                self.kept[number] = None

    cdef void forget_all(self) noexcept:
        """What was read is void."""
        self.is_sound = False
        self.parts.marked = 0
        self.kept = None
