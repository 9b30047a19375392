# The methods of messages that are called in C; message.py runs without.

from .extensions cimport Extended

cdef class Message(Extended):
    cpdef list get_all(self, str name)
    cpdef insert_first(self, str name, value)
    cpdef set(self, str name, value)
    cpdef remove(self, str name)
    cpdef replace_top(self, str name, value)
    cpdef tuple get_list(self, str name)
    cpdef bytes encode(self)
    cpdef validate(self)
    cpdef _check(self)

cdef class Request(Message):
    cpdef Response response(self, int status, str reason=*, str to_tag=*, headers=*, bytes body=*)

cdef class Response(Message):
    pass
