cimport cython

from ._parts cimport Line
from ._written cimport Written

@cython.no_gc
cdef class Head(Written):
    cdef object kept_uri
    cdef str kept_from_tag, kept_to_tag, kept_call_id

    @cython.final
    cdef bint mark(self, int number) noexcept
    cpdef _from_tag(self)
    cpdef _to_tag(self)
    cpdef str _call_id(self)
    cpdef long long _number(self) except -1
    cpdef str _method_of_number(self)
    cpdef _top_branch(self)
    cpdef bint is_sent_by(self, str sent_by) except -1
    cpdef str _contact_uri(self)
    cpdef bint has_contact(self) except -1
    cpdef str transaction_key(self)
    cpdef str merge_key(self)
    cpdef stamp(self, tuple source)
    cpdef tuple whose(self, str name)
    cpdef list branches(self)
    cpdef bint lists(self, str name, str option) except -1
    cpdef str _usual_type(self)
    cpdef int reply_port(self) except -1
    cpdef bint lacks_to_tag(self) except -1
    @cython.final
    cdef object single(self, int number)
    @cython.final
    cdef tuple listed(self, int number)
    @cython.final
    cdef int read_list(self, int number, Line* line, list found) except -1
    cpdef _check_typed(self)
    cpdef _set_uri(self, value)
    cpdef bint _is_sound(self) except -1
    cpdef _top_via(self)
    @cython.final
    cdef bint _is_star(self) except -1
    cpdef tuple _record_routes(self)
    @cython.final
    cdef bint has_own_method(self) noexcept
