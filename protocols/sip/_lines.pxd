cimport cython
from libc.stdint cimport uint8_t, uint64_t

from ._parts cimport Line, Parts
from ._spans cimport Octets

cdef list KEYS
cdef bint is_same_name(Octets one, Octets other, Py_ssize_t size) noexcept
cdef Py_ssize_t find_line_end(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept
cdef int number_of(str name) except -1
cdef object view(str text, Octets* p, Py_ssize_t* size)

@cython.no_gc  # what was read of a message does not refer to it
cdef class Lines:
    cdef Octets octets  # all lines, each with its CRLF; what changes is written anew at the end
    cdef Py_ssize_t used
    cdef Py_ssize_t room  # of octets of our own; 0: those of what was read, which is never written to
    cdef bytes source  # keeps them
    cdef Line* lines
    cdef Py_ssize_t count, line_room
    cdef list kept  # typed values by the number of their header, None before the first is asked for
    cdef Parts parts
    cdef uint64_t[2] seen  # a bit for each known header that is there, or was
    cdef bint is_sound  # what a check looks at is usual in each line, and stands once where it must

    @cython.final
    cdef int reserve(self, Py_ssize_t size) except -1
    @cython.final
    cdef Py_ssize_t index_all(self, Octets p, Py_ssize_t at, Py_ssize_t size, Py_ssize_t count, Py_ssize_t most, Py_ssize_t hops) except -2
    cdef int add_octets(self, bytes line) except -1
    @cython.final
    cdef Line* find(self, int number) noexcept
    @cython.final
    cdef str text(self, Line* line)
    @cython.final
    cdef int write(self, str name, object value, Line* line) except -1
    @cython.final
    cdef int extend(self, Line* line, Octets more, Py_ssize_t size) except -1
    cpdef get(self, str name)
    cpdef _text(self, Py_ssize_t at)
    cpdef _places(self, str name)
    cpdef bint has_any(self, frozenset wanted) except -1
    cpdef _find_double(self)
    cpdef add(self, str name, object value)
    cpdef _add_all(self, headers)
    cpdef _insert(self, Py_ssize_t at, str name, object value, str rest=*)
    cpdef _drop(self, list places)
    cpdef _copy_all(self, Lines other)
    cdef int copy_line(self, Lines other, Line line) except -1
    @cython.final
    cdef void forget(self, int number) noexcept
    @cython.final
    cdef void forget_all(self) noexcept
