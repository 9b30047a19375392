# The methods of messages that are called in C; message.py runs without.

cimport cython

from .extensions cimport Extended

cdef class Message(Extended):
    cpdef list get_all(self, str name)
    cpdef insert_first(self, str name, value)
    cpdef set(self, str name, value)
    cpdef remove(self, str name)
    cpdef replace_top(self, str name, value)
    cpdef tuple get_list(self, str name)
    cpdef _content_type(self)
    cpdef bytes encode(self)
    cpdef validate(self)
    cpdef _check(self)

cdef class Response(Message)

cdef class Request(Message):
    cpdef _begin(self, str method, uri, bytes body)
    cpdef bytes answer(self, int status, str reason=*, str to_tag=*, headers=*, bytes body=*)
    @cython.locals(response=Response)
    cpdef Response response(self, int status, str reason=*, str to_tag=*, headers=*, bytes body=*)

cdef class Response(Message):
    cpdef _begin(self, int status, str reason, bytes body)

cdef dict _REASONS

@cython.locals(at=Py_ssize_t)
cdef bint _is_response(bytes data) except -1

cdef tuple _split(str name, str line)

@cython.locals(message=Message)
cpdef Message parse(bytes data, limits=*)
