# What SqliteRecords holds in C; sqlite.py runs without.

cimport cython

from .record cimport Record
from .writer cimport Batch, Writer

cdef class SqliteBindings:
    cdef object _path
    cdef Writer _writer
    cdef public long long refused_count

    cpdef save(self, binding)
    cpdef renew(self, binding)
    cpdef remove(self, str user, str contact)
    @cython.locals(writer=Writer, bindings=dict)
    cpdef _put(self, tuple key, binding, bint may_wait)

cdef class SqliteRecords:
    cdef object _path, _slot
    cdef tuple _place
    cdef Writer _writer
    cdef public long long refused_count

    cpdef open(self, Record record)
    cpdef answered(self, Record record)
    @cython.locals(row=tuple, writer=Writer, pending=Batch)
    cpdef close(self, Record record)
    @cython.locals(row=tuple, writer=Writer, live=dict)
    cpdef _put(self, Record record)
