"""A transaction of many rows in SQLite, without the interpreter's lock from its beginning to its end.

Whatever goes wrong here is rolled back and said in a word: whoever asked does the same once more through the
sqlite3 module, which can tell why.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.float cimport PyFloat_AS_DOUBLE
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc

from ._library cimport DONE, OK, Connection, library

from ._library import is_there  # noqa: F401

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t*) except NULL

cdef enum:
    NOTHING, INTEGER, REAL, TEXT, BLOB

cdef struct Value:
    uint8_t kind
    int size
    int64_t integer
    double real
    const char* octets  # of an object that the caller keeps

cdef struct Step:
    void* statement
    int width
    Py_ssize_t rows
    Value* values


cdef class Transactions(Connection):
    """Writes. One thread at a time uses it."""

    def write(self, list steps) -> bool:
        """All of these in one transaction: pairs of a statement and the rows that it is done for.

        False: nothing was written.
        """
        cdef Py_ssize_t i, count = len(steps), size = 0
        cdef Value* values
        cdef Value* at
        cdef Step* all_steps
        cdef bint is_written = False
        if self.database == NULL:
            return False
        for sql, rows in steps:
            size += len(rows) * len(rows[0]) if rows else 0
        values = <Value*>malloc((size + 1) * sizeof(Value))
        all_steps = <Step*>malloc((count + 1) * sizeof(Step))
        try:
            if values == NULL or all_steps == NULL:
                raise MemoryError
            at = values
            for i in range(count):
                sql, rows = steps[i]
                all_steps[i].values = at
                all_steps[i].rows = len(rows)
                if rows:
                    all_steps[i].statement = self.prepare(sql)
                    if all_steps[i].statement == NULL:
                        return False
                    all_steps[i].width = len(rows[0])
                    at = _read(rows, all_steps[i].width, at)
                    if at == NULL:
                        return False
            with nogil:
                is_written = _write(self.database, all_steps, count)
            return is_written
        finally:
            free(values)
            free(all_steps)


cdef Value* _read(rows, int width, Value* at) except? NULL:
    """The values of rows; NULL: one of them is nothing that SQLite can hold."""
    cdef Py_ssize_t size
    for row in rows:
        if len(row) != width:
            return NULL
        for value in row:
            at.kind = NOTHING
            if isinstance(value, str):
                try:
                    at.octets = PyUnicode_AsUTF8AndSize(value, &size)
                except UnicodeEncodeError:
                    return NULL
                at.kind, at.size = TEXT, <int>size
            elif isinstance(value, int):
                try:
                    at.integer = value
                except OverflowError:
                    return NULL
                at.kind = INTEGER
            elif isinstance(value, float):
                at.kind, at.real = REAL, PyFloat_AS_DOUBLE(value)
            elif isinstance(value, bytes):
                at.kind, at.octets, at.size = BLOB, PyBytes_AS_STRING(value), <int>PyBytes_GET_SIZE(value)
            elif value is not None:
                return NULL
            at += 1
    return at


cdef bint _write(void* database, Step* steps, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    if library.execute(database, b"BEGIN IMMEDIATE", NULL, NULL, NULL) != OK:
        return False
    for i in range(count):
        if not _run(&steps[i]):
            library.execute(database, b"ROLLBACK", NULL, NULL, NULL)
            return False
    if library.execute(database, b"COMMIT", NULL, NULL, NULL) == OK:
        return True
    library.execute(database, b"ROLLBACK", NULL, NULL, NULL)
    return False


cdef bint _run(Step* step) noexcept nogil:
    cdef Py_ssize_t row
    cdef int i, found
    cdef Value* at = step.values
    for row in range(step.rows):
        for i in range(step.width):
            if _bind(step.statement, i + 1, at) != OK:
                return False
            at += 1
        found = library.step(step.statement)
        library.reset(step.statement)
        if found != DONE:
            return False
    return True


cdef inline int _bind(void* statement, int number, Value* value) noexcept nogil:
    if value.kind == TEXT:
        return library.bind_text(statement, number, value.octets, value.size, NULL)  # SQLITE_STATIC
    if value.kind == INTEGER:
        return library.bind_integer(statement, number, value.integer)
    if value.kind == REAL:
        return library.bind_real(statement, number, value.real)
    if value.kind == BLOB:
        return library.bind_blob(statement, number, value.octets, value.size, NULL)
    return library.bind_nothing(statement, number)
