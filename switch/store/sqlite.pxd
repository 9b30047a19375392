# What SqliteRecords holds in C; sqlite.py runs without.

cimport cython

from .writer cimport Writer

cdef class SqliteRecords:
    cdef object _path, _committer, _slot
    cdef Writer _writer
    cdef public long long refused_count

    cpdef open(self, record)
    cpdef answered(self, record)
    cpdef close(self, record)
    @cython.locals(writer=Writer, records=dict)
    cpdef _put(self, record, bint is_closed)
