"""A transaction of many rows in SQLite, without the interpreter's lock from its beginning to its end.

The sqlite3 module gives the lock up and takes it again for every statement; while the loop's thread is busy
each of these can take milliseconds. This talks to the very library that the module has loaded, over a
connection of its own. Whatever goes wrong here is rolled back and said in a word: whoever asked does the same
once more through the module, which can tell why. It only wraps a C library, so it has no twin in Python.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.float cimport PyFloat_AS_DOUBLE
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc

import os
import sqlite3

import _sqlite3

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t*) except NULL
    double PyFloat_AS_DOUBLE(object)

cdef extern from "dlfcn.h" nogil:
    void* dlopen(const char*, int)
    void* dlsym(void*, const char*)
    int RTLD_NOW

cdef enum:
    OK = 0
    DONE = 101
    READ_WRITE = 2  # SQLITE_OPEN_READWRITE
    PERSISTENT = 1  # SQLITE_PREPARE_PERSISTENT
    MAX_STATEMENTS = 64

cdef enum:
    NOTHING, INTEGER, REAL, TEXT, BLOB

ctypedef int (*Open)(const char*, void**, int, const char*) noexcept nogil
ctypedef int (*Close)(void*) noexcept nogil
ctypedef int (*Prepare)(void*, const char*, int, unsigned int, void**, const char**) noexcept nogil
ctypedef int (*OfStatement)(void*) noexcept nogil
ctypedef int (*Execute)(void*, const char*, void*, void*, char**) noexcept nogil
ctypedef int (*BindInteger)(void*, int, int64_t) noexcept nogil
ctypedef int (*BindReal)(void*, int, double) noexcept nogil
ctypedef int (*BindNothing)(void*, int) noexcept nogil
ctypedef int (*BindOctets)(void*, int, const char*, int, void*) noexcept nogil

cdef struct Library:
    Open open
    Close close
    Prepare prepare
    OfStatement step, reset, finalize
    Execute execute
    BindInteger bind_integer
    BindReal bind_real
    BindNothing bind_nothing
    BindOctets bind_text, bind_blob

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

cdef Library library


cdef bint _load():
    """Find the functions in what the sqlite3 module is linked with."""
    cdef bytes path
    cdef void* handle
    if not hasattr(_sqlite3, "__file__"):
        return False  # a part of the interpreter; another copy of SQLite would break the locks of this one
    path = os.fsencode(_sqlite3.__file__)
    handle = dlopen(path, RTLD_NOW)
    if handle == NULL:
        return False
    library.open = <Open>dlsym(handle, b"sqlite3_open_v2")
    library.close = <Close>dlsym(handle, b"sqlite3_close_v2")
    library.prepare = <Prepare>dlsym(handle, b"sqlite3_prepare_v3")
    library.step = <OfStatement>dlsym(handle, b"sqlite3_step")
    library.reset = <OfStatement>dlsym(handle, b"sqlite3_reset")
    library.finalize = <OfStatement>dlsym(handle, b"sqlite3_finalize")
    library.execute = <Execute>dlsym(handle, b"sqlite3_exec")
    library.bind_integer = <BindInteger>dlsym(handle, b"sqlite3_bind_int64")
    library.bind_real = <BindReal>dlsym(handle, b"sqlite3_bind_double")
    library.bind_nothing = <BindNothing>dlsym(handle, b"sqlite3_bind_null")
    library.bind_text = <BindOctets>dlsym(handle, b"sqlite3_bind_text")
    library.bind_blob = <BindOctets>dlsym(handle, b"sqlite3_bind_blob")
    return (
        library.open != NULL and library.close != NULL and library.prepare != NULL and library.step != NULL
        and library.reset != NULL and library.finalize != NULL and library.execute != NULL
        and library.bind_integer != NULL and library.bind_real != NULL and library.bind_nothing != NULL
        and library.bind_text != NULL and library.bind_blob != NULL
    )


is_there = _load()  # False: this interpreter's SQLite cannot be reached


cdef class Transactions:
    """A connection. One thread at a time uses it."""

    cdef void* database
    cdef void* statements[MAX_STATEMENTS]
    cdef int count
    cdef dict numbers  # of statements, by their text

    def __cinit__(self, str path, tuple pragmas):
        """Open a file that is there; sqlite3.OperationalError: it cannot be."""
        cdef bytes name = os.fsencode(path)
        self.numbers = {}
        if not is_there:
            raise sqlite3.OperationalError("the library cannot be reached")
        if library.open(name, &self.database, READ_WRITE, NULL) != OK:
            self.close()
            raise sqlite3.OperationalError("cannot be opened")
        for pragma in pragmas:
            name = f"PRAGMA {pragma}".encode()
            if library.execute(self.database, name, NULL, NULL, NULL) != OK:
                self.close()
                raise sqlite3.OperationalError(f"{pragma}: refused")

    def __dealloc__(self):
        self.close()

    def close(self):
        """Let go of the file."""
        cdef int i
        for i in range(self.count):
            library.finalize(self.statements[i])
        self.count = 0
        self.numbers.clear()
        if self.database != NULL:
            library.close(self.database)
            self.database = NULL

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

    cdef void* prepare(self, str sql) except? NULL:
        cdef bytes text
        cdef void* statement = NULL
        number = self.numbers.get(sql)
        if number is not None:
            return self.statements[<int>number]
        text = sql.encode()
        if self.count == MAX_STATEMENTS:
            return NULL
        if library.prepare(self.database, text, -1, PERSISTENT, &statement, NULL) != OK:
            return NULL
        self.statements[self.count] = statement
        self.numbers[sql] = self.count
        self.count += 1
        return statement


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
