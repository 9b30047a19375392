"""The rows of a question to SQLite, read without the interpreter's lock: it is taken once, to make them.

Whatever goes wrong here gives None: whoever asked does the same once more through the sqlite3 module, which
can tell why.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy

from ._library cimport DONE, MAX_STATEMENTS, OK, ROW, Connection, library

from ._library import is_there  # noqa: F401

cdef enum:
    INTEGER = 1  # as SQLite numbers its types
    REAL = 2
    TEXT = 3
    BLOB = 4
    MAX_SIZE = 64 * 1024 * 1024  # of what one question may bring

cdef struct Cell:
    uint8_t kind
    int size
    int64_t integer  # of octets: where they are
    double real

cdef struct Found:
    Cell* cells
    size_t count, room
    char* octets
    size_t size, octet_room


cdef class Questions(Connection):
    """Reads. One thread at a time uses it."""

    def read(self, str sql, tuple values) -> list | None:
        """All rows; None: they cannot be read so."""
        cdef Found found
        cdef void* statement
        cdef int width
        cdef bint is_read
        if self.database == NULL:
            return None
        if self.count == MAX_STATEMENTS:
            self.forget()
        statement = self.prepare(sql)
        if statement == NULL or not _bind(statement, values):
            return None
        found.cells, found.octets = NULL, NULL
        found.count = found.room = found.size = found.octet_room = 0
        width = library.column_count(statement)
        try:
            with nogil:
                is_read = _read(statement, width, &found)
                library.reset(statement)
            return _rows(&found, width) if is_read else None
        finally:
            free(found.cells)
            free(found.octets)


cdef bint _bind(void* statement, tuple values) except -1:
    cdef int number = 0, result
    cdef bytes octets
    for value in values:
        number += 1
        if isinstance(value, str):
            try:
                octets = value.encode()
            except UnicodeEncodeError:
                return False
            result = library.bind_text(
                statement, number, PyBytes_AS_STRING(octets), <int>PyBytes_GET_SIZE(octets), <void*>-1
            )  # SQLITE_TRANSIENT: it is copied
        elif isinstance(value, float):
            result = library.bind_real(statement, number, value)
        elif isinstance(value, int):
            try:
                result = library.bind_integer(statement, number, value)
            except OverflowError:
                return False
        else:
            return False
        if result != OK:
            return False
    return True


cdef bint _read(void* statement, int width, Found* found) noexcept nogil:
    cdef int column, state
    cdef Cell* cell
    while True:
        state = library.step(statement)
        if state != ROW:
            return state == DONE
        if not _make_room(found, width):
            return False
        for column in range(width):
            cell = &found.cells[found.count]
            cell.kind = library.column_type(statement, column)
            if cell.kind == INTEGER:
                cell.integer = library.column_integer(statement, column)
            elif cell.kind == REAL:
                cell.real = library.column_real(statement, column)
            elif cell.kind == TEXT:
                if not _keep(found, cell, library.column_text(statement, column),
                             library.column_size(statement, column)):
                    return False
            elif cell.kind == BLOB:
                if not _keep(found, cell, library.column_blob(statement, column),
                             library.column_size(statement, column)):
                    return False
            found.count += 1


cdef bint _make_room(Found* found, int width) noexcept nogil:
    cdef void* cells
    if found.count + width <= found.room:
        return True
    found.room = 2 * found.room + 64 * width
    if found.room * sizeof(Cell) > MAX_SIZE:
        return False
    cells = realloc(found.cells, found.room * sizeof(Cell))
    if cells == NULL:
        return False
    found.cells = <Cell*>cells
    return True


cdef bint _keep(Found* found, Cell* cell, const char* octets, int size) noexcept nogil:
    cdef void* kept
    if found.size + size > found.octet_room:
        found.octet_room = 2 * found.octet_room + size + 4096
        if found.octet_room > MAX_SIZE:
            return False
        kept = realloc(found.octets, found.octet_room)
        if kept == NULL:
            return False
        found.octets = <char*>kept
    if size:
        memcpy(found.octets + found.size, octets, size)
    cell.integer, cell.size = <int64_t>found.size, size
    found.size += size
    return True


cdef list _rows(Found* found, int width):
    """The rows; a text that stands in the same column of the row before is the same object."""
    cdef list rows = []
    cdef tuple row, before = None
    cdef size_t at = 0
    cdef int column
    cdef Cell* cell
    while at < found.count:
        row = PyTuple_New(width)
        for column in range(width):
            cell = &found.cells[at]
            if cell.kind == TEXT:
                if before is not None and _is_same(found, cell, cell - width):
                    value = before[column]
                else:
                    try:
                        value = PyUnicode_DecodeUTF8(found.octets + cell.integer, cell.size, NULL)
                    except UnicodeDecodeError:
                        return None
            elif cell.kind == INTEGER:
                value = cell.integer
            elif cell.kind == REAL:
                value = cell.real
            elif cell.kind == BLOB:
                value = PyBytes_FromStringAndSize(found.octets + cell.integer, cell.size)
            else:
                value = None
            Py_INCREF(value)
            PyTuple_SET_ITEM(row, column, value)
            at += 1
        rows.append(row)
        before = row
    return rows


cdef inline bint _is_same(Found* found, Cell* one, Cell* other) noexcept:
    return (
        other.kind == TEXT and one.size == other.size
        and memcmp(found.octets + one.integer, found.octets + other.integer, one.size) == 0
    )
