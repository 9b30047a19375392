from ._values cimport Octets
from ._lines cimport Line, Lines

cdef class Head(Lines):
    cdef public str method, reason, _uri_text
    cdef public int status
    cdef public bytes body
    cdef object kept_uri

    cdef bint read_usual(self, bytes data, tuple limits) except -1
    cdef bint read_start(self, Octets p, Py_ssize_t start, Py_ssize_t end) except -1
    cdef bint cut_body(self, Octets p, Py_ssize_t start, Py_ssize_t size) except -1
    cdef int adopt(self, bytes data, limits) except -1
    cdef bytes pack(self, str start)
    cpdef _read(self, bytes data, limits)
    cpdef _pack(self, str start)
    cpdef _check_typed(self)
    cpdef _is_sound(self)
    cpdef _top_via(self)
    cdef object single(self, int number)
    cdef tuple listed(self, int number)
    cdef int read_list(self, int number, Line* line, list found) except -1
    cdef int check_typed(self) except -1
    cdef bint has_usual_type(self) noexcept

cdef object tag_of(object address)
