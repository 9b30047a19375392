# What the other compiled modules of the store see of SQLite's library.

from libc.stdint cimport int64_t

cdef enum:
    OK = 0
    ROW = 100
    DONE = 101
    READ_WRITE = 2  # SQLITE_OPEN_READWRITE
    NO_MUTEX = 0x8000  # SQLITE_OPEN_NOMUTEX
    PERSISTENT = 1  # SQLITE_PREPARE_PERSISTENT
    MAX_STATEMENTS = 64

ctypedef int (*Open)(const char*, void**, int, const char*) noexcept nogil
ctypedef int (*Close)(void*) noexcept nogil
ctypedef int (*Prepare)(void*, const char*, int, unsigned int, void**, const char**) noexcept nogil
ctypedef int (*OfStatement)(void*) noexcept nogil
ctypedef int (*Execute)(void*, const char*, void*, void*, char**) noexcept nogil
ctypedef int (*BindInteger)(void*, int, int64_t) noexcept nogil
ctypedef int (*BindReal)(void*, int, double) noexcept nogil
ctypedef int (*BindNothing)(void*, int) noexcept nogil
ctypedef int (*BindOctets)(void*, int, const char*, int, void*) noexcept nogil
ctypedef int (*OfColumn)(void*, int) noexcept nogil
ctypedef int64_t (*IntegerOf)(void*, int) noexcept nogil
ctypedef double (*RealOf)(void*, int) noexcept nogil
ctypedef const char* (*OctetsOf)(void*, int) noexcept nogil

cdef struct Library:
    Open open
    Close close
    Prepare prepare
    OfStatement step, reset, finalize, column_count
    Execute execute
    BindInteger bind_integer
    BindReal bind_real
    BindNothing bind_nothing
    BindOctets bind_text, bind_blob
    OfColumn column_type, column_size
    IntegerOf column_integer
    RealOf column_real
    OctetsOf column_text, column_blob

cdef Library library

cdef class Connection:
    cdef void* database
    cdef void* statements[MAX_STATEMENTS]
    cdef int count
    cdef dict numbers  # of statements, by their text
    cdef void forget(self) noexcept
    cdef void* prepare(self, str sql) except? NULL
