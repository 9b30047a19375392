cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t

from ._spans cimport Octets

cdef enum:
    UNKNOWN, VIA, FROM, TO, CALL_ID, CSEQ, CONTACT, ROUTE, RECORD_ROUTE, KEPT  # the typed values that are kept
    CONTENT_LENGTH, MAX_FORWARDS, CONTENT_TYPE, TIMESTAMP

cdef struct Line:
    int32_t start
    int32_t name_size
    int32_t value  # without white space around it
    int32_t value_end
    int32_t end  # its CRLF begins here
    uint8_t number
    uint8_t is_folded

cdef list KEYS
cdef bint is_same_name(Octets one, Octets other, Py_ssize_t size) noexcept
cdef object view(str text, Octets* p, Py_ssize_t* size)

@cython.no_gc  # what was read of a message does not refer to it
cdef class Lines:
    cdef uint8_t* octets  # all lines, each with its CRLF; what changes is written anew at the end
    cdef Py_ssize_t used, room
    cdef Line* lines
    cdef Py_ssize_t count, line_room
    cdef list kept  # typed values by the number of their header, None before the first is asked for
    cdef uint32_t marked  # a bit for each header up to KEPT whose parts were found

    cdef int reserve(self, Py_ssize_t size) except -1
    cdef Line* new_line(self) except NULL
    cdef bint index(self, Octets p, Py_ssize_t start, Py_ssize_t end) except -1
    cdef int add_octets(self, bytes line) except -1
    cdef Line* find(self, int number) noexcept
    cdef int double(self) noexcept
    cdef str text(self, Line* line)
    cdef int write(self, str name, object value, Line* line) except -1
    cdef int extend(self, Line* line, Octets more, Py_ssize_t size) except -1
    cpdef get(self, str name)
    cpdef _text(self, Py_ssize_t at)
    cpdef _places(self, str name)
    cpdef bint has_any(self, wanted) except -1
    cpdef _find_double(self)
    cpdef add(self, str name, object value)
    cpdef _add_all(self, headers)
    cpdef _insert(self, Py_ssize_t at, str name, object value, str rest=*)
    cpdef _drop(self, list places)
    cpdef _copy_all(self, Lines other)
    cdef int copy_line(self, Lines other, Line line) except -1
    cdef void forget(self, int number) noexcept
    cdef void forget_all(self) noexcept
