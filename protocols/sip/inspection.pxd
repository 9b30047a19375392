# Functions that are called in C; inspection.py runs without.

cimport cython

from .message cimport Request

cpdef inspect_request(Request request, methods, extensions=*, schemes=*, content_types=*)
cdef _inspect_method(Request request, methods)
@cython.locals(text=str)
cdef _inspect_addresses(Request request, schemes)
cdef _inspect_require(Request request, extensions)
cdef _inspect_content(Request request, content_types)
