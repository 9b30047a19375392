"""The very SQLite library that the sqlite3 module has loaded, for what must not take the interpreter's lock.

The module gives the lock up and takes it again for every statement and every row; while the loop's thread is
busy each of these can take milliseconds. It only wraps a C library, so it has no twin in Python.
"""

import os
import sqlite3

import _sqlite3

cdef extern from "dlfcn.h" nogil:
    void* dlopen(const char*, int)
    void* dlsym(void*, const char*)
    int RTLD_NOW


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
    library.column_count = <OfStatement>dlsym(handle, b"sqlite3_column_count")
    library.execute = <Execute>dlsym(handle, b"sqlite3_exec")
    library.bind_integer = <BindInteger>dlsym(handle, b"sqlite3_bind_int64")
    library.bind_real = <BindReal>dlsym(handle, b"sqlite3_bind_double")
    library.bind_nothing = <BindNothing>dlsym(handle, b"sqlite3_bind_null")
    library.bind_text = <BindOctets>dlsym(handle, b"sqlite3_bind_text")
    library.bind_blob = <BindOctets>dlsym(handle, b"sqlite3_bind_blob")
    library.column_type = <OfColumn>dlsym(handle, b"sqlite3_column_type")
    library.column_size = <OfColumn>dlsym(handle, b"sqlite3_column_bytes")
    library.column_integer = <IntegerOf>dlsym(handle, b"sqlite3_column_int64")
    library.column_real = <RealOf>dlsym(handle, b"sqlite3_column_double")
    library.column_text = <OctetsOf>dlsym(handle, b"sqlite3_column_text")
    library.column_blob = <OctetsOf>dlsym(handle, b"sqlite3_column_blob")
    return (
        library.open != NULL and library.close != NULL and library.prepare != NULL and library.step != NULL
        and library.reset != NULL and library.finalize != NULL and library.execute != NULL
        and library.bind_integer != NULL and library.bind_real != NULL and library.bind_nothing != NULL
        and library.bind_text != NULL and library.bind_blob != NULL and library.column_count != NULL
        and library.column_type != NULL and library.column_size != NULL and library.column_integer != NULL
        and library.column_real != NULL and library.column_text != NULL and library.column_blob != NULL
    )


is_there = _load()  # False: this interpreter's SQLite cannot be reached


cdef class Connection:
    """A connection with its statements. One thread at a time uses it."""

    def __cinit__(self, str path, tuple pragmas):
        """Open a file that is there; sqlite3.OperationalError: it cannot be."""
        cdef bytes name = os.fsencode(path)
        self.numbers = {}
        if not is_there:
            raise sqlite3.OperationalError("the library cannot be reached")
        if library.open(name, &self.database, READ_WRITE | NO_MUTEX, NULL) != OK:
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
        self.forget()
        if self.database != NULL:
            library.close(self.database)
            self.database = NULL

    cdef void forget(self) noexcept:
        """Let go of the statements."""
        cdef int i
        for i in range(self.count):
            library.finalize(self.statements[i])
        self.count = 0
        self.numbers.clear()

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
