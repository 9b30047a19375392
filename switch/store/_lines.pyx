# cython: cdivision=True
"""Records as lines of JSON, read and written without the interpreter's lock.

They are the octets that the view ``records`` and SQLite's own json_object give (commit.py), in a third of the
time. Whatever goes wrong here gives None: whoever asked does the same once more through the sqlite3 module.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport fabs, llroundl
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from ._json cimport LONGEST, write_integer, write_text
from ._library cimport DONE, OK, ROW, Connection, library

cdef enum:
    MAX_COLUMNS = 64
    MAX_NAME = 32
    INTEGER = 1  # as SQLite numbers its types
    REAL = 2
    TEXT = 3
    NOTHING = 5
    NUMBER = 32  # and a number, or a moment

cdef enum:
    AS_IT_IS, ROUNDED, MOMENT, JSON

cdef double _LARGEST = 1e9
cdef double _EPOCH = 210866760000000.0  # milliseconds of the Julian day at 1970

cdef struct Column:
    char name[MAX_NAME]  # with what stands before the value
    int name_size
    uint8_t kind
    int64_t scale  # of what is rounded

cdef struct Text:
    char* data
    size_t size, room


cdef class Lines:
    """Which columns they have."""

    cdef str _sql
    cdef Column _columns[MAX_COLUMNS]
    cdef int _count

    def __init__(self, dict columns, int limit):
        """``columns`` of the table: decimals, or "time" or "json" or None."""
        cdef int i = 0
        cdef bytes name
        cdef Column* column
        self._sql = f"SELECT seq, {', '.join(columns)} FROM calls WHERE seq > ? ORDER BY seq LIMIT {limit}"
        for key, kind in columns.items():
            name = f'{"," if i else "{"}"{key}":'.encode()
            if i == MAX_COLUMNS or len(name) > MAX_NAME:
                raise ValueError(key)
            column = &self._columns[i]
            memcpy(column.name, <char*>name, len(name))
            column.name_size = <int>len(name)
            column.kind, column.scale = ROUNDED, 1
            if kind is None:
                column.kind = AS_IT_IS
            elif kind == "time":
                column.kind = MOMENT
            elif kind == "json":
                column.kind = JSON
            else:
                column.scale = 10**kind
            i += 1
        self._count = i

    def after(self, int64_t seq, Connection connection not None):
        """How many follow that one, the number of the last of them, and their lines."""
        cdef Text text
        cdef int64_t last = seq
        cdef int count
        cdef void* statement
        if connection.database == NULL:
            return None
        statement = connection.prepare(self._sql)
        if statement == NULL or library.bind_integer(statement, 1, seq) != OK:
            return None
        text.data, text.size, text.room = NULL, 0, 0
        try:
            with nogil:
                count = self._write(statement, &text, &last)
                library.reset(statement)
            if count < 0:
                return None
            return count, last, PyBytes_FromStringAndSize(text.data, <Py_ssize_t>text.size)
        finally:
            free(text.data)

    cdef int _write(self, void* statement, Text* text, int64_t* last) noexcept nogil:
        cdef int count = 0, state, i
        while True:
            state = library.step(statement)
            if state != ROW:
                return count if state == DONE else -1
            for i in range(self._count):
                if not _value(text, statement, i + 1, &self._columns[i]):
                    return -1
            if not _reserve(text, 2):
                return -1
            _put(text, b"}\n", 2)
            last[0] = library.column_integer(statement, 0)
            count += 1


cdef bint _value(Text* text, void* statement, int number, const Column* column) noexcept nogil:
    cdef int kind = library.column_type(statement, number)
    cdef const char* octets
    cdef size_t size
    if not _reserve(text, MAX_NAME + NUMBER):
        return False
    _put(text, column.name, column.name_size)
    if kind == NOTHING:
        _put(text, b"null", 4)
        return True
    if kind == INTEGER:
        _put_integer(text, library.column_integer(statement, number))
        return True
    if kind == REAL:
        if column.kind == MOMENT:
            return _put_moment(text, library.column_real(statement, number))
        return column.kind == ROUNDED and _put_rounded(
            text, library.column_real(statement, number), column.scale
        )
    if kind != TEXT:
        return False
    octets = library.column_text(statement, number)
    size = <size_t>library.column_size(statement, number)
    if not _reserve(text, LONGEST * size + 2):
        return False
    if column.kind == JSON:
        _put_json(text, <const uint8_t*>octets, size)
    else:
        _put_text(text, <const uint8_t*>octets, size)
    return True


cdef bint _put_rounded(Text* text, double value, int64_t scale) noexcept nogil:
    """Decimals without zeros at their end, but for one. A half goes up, as with SQLite."""
    cdef int64_t scaled, rest
    cdef long double nudged = value * <long double>(1 + 4e-16)
    if not fabs(value) < _LARGEST:
        return False
    scaled = llroundl(nudged * scale)
    if scaled < 0:
        _put(text, b"-", 1)
        scaled = -scaled
    _put_integer(text, scaled // scale)
    _put(text, b".", 1)
    rest = scaled % scale
    while True:
        scale //= 10
        text.data[text.size] = <char>(c'0' + rest // scale)
        text.size += 1
        rest %= scale
        if rest == 0:
            return True


cdef bint _put_moment(Text* text, double posix) noexcept nogil:
    """As ISO 8601 has it, with milliseconds; as SQLite rounds them."""
    cdef int64_t moment, day, of_day
    cdef int64_t era, year, month
    cdef double julian = posix * 1000.0 + _EPOCH
    if not (posix >= 0.0 and posix < 1e11):
        return False
    moment = <int64_t>(julian + 0.5) - <int64_t>_EPOCH
    day, of_day = moment // 86_400_000, moment % 86_400_000
    day += 719_468  # since 0000-03-01: a year that begins there has its leap day at its end
    era = day // 146_097
    day -= era * 146_097
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    month += 3 if month < 10 else -9
    year += era * 400 + (month <= 2)
    _put(text, b'"', 1)
    _put_digits(text, year, 4, c'-')
    _put_digits(text, month, 2, c'-')
    _put_digits(text, day + 1, 2, c'T')
    _put_digits(text, of_day // 3_600_000, 2, c':')
    _put_digits(text, of_day // 60_000 % 60, 2, c':')
    _put_digits(text, of_day // 1000 % 60, 2, c'.')
    _put_digits(text, of_day % 1000, 3, c'Z')
    _put(text, b'"', 1)
    return year < 10_000


cdef inline void _put_digits(Text* text, int64_t value, int count, char after) noexcept nogil:
    cdef char* at = text.data + text.size
    cdef int i
    for i in range(count - 1, -1, -1):
        at[i] = <char>(c'0' + value % 10)
        value //= 10
    at[count] = after
    text.size += count + 1


cdef void _put_integer(Text* text, int64_t value) noexcept nogil:
    cdef char digits[20]
    cdef int size = write_integer(value, digits + 20)
    _put(text, digits + 20 - size, size)


cdef void _put_json(Text* text, const uint8_t* octets, size_t size) noexcept nogil:
    """What is JSON already, without spaces between its values."""
    cdef size_t i = 0
    cdef bint is_quoted = False
    while i < size:
        if octets[i] == c'"':
            is_quoted = not is_quoted
        elif octets[i] == c'\\' and i + 1 < size:
            _put(text, <const char*>octets + i, 1)
            i += 1
        elif octets[i] == c' ' and not is_quoted:
            i += 1
            continue
        _put(text, <const char*>octets + i, 1)
        i += 1


cdef void _put_text(Text* text, const uint8_t* octets, size_t size) noexcept nogil:
    text.size = write_text(text.data + text.size, octets, size, False) - text.data


cdef inline void _put(Text* text, const char* data, size_t size) noexcept nogil:
    memcpy(text.data + text.size, data, size)
    text.size += size


cdef bint _reserve(Text* text, size_t size) noexcept nogil:
    cdef size_t room = text.room
    cdef void* data
    if text.size + size <= room:
        return True
    while text.size + size > room:
        room = 2 * room if room else 16384
    data = realloc(text.data, room)
    if data == NULL:
        return False
    text.data, text.room = <char*>data, room
    return True
