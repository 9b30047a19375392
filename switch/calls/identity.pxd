# What Identity holds in C, and what is called in C; identity.py runs without.

cimport cython
from switchroom.protocols.sip.message cimport Message, Request
from switchroom.protocols.sip.uri cimport escape_user

@cython.no_gc  # it refers to nothing that could refer to it
@cython.freelist(64)
cdef class Identity:
    cdef readonly str number, name, verstat
    cdef readonly bint is_private, is_asserted
    cdef readonly tuple diversions

    cpdef tuple _parts(self)
    cpdef bint is_plain(self)
    cpdef Identity changed(self, str number=*, str name=*, tuple diversions=*, str verstat=*)

cpdef Identity read(Request request, bint is_trusted)
cpdef privacy_of(Message message)
cpdef tuple diversions_of(Message message)
cpdef str number_in(uri)
cpdef str plain(str text)
@cython.locals(user=str)
cpdef str address(str number, str domain, str name=*)
cpdef str from_header(Identity identity, str domain)
cpdef list identity_headers(Identity identity, str form, str domain)
@cython.locals(host=str, user=str)
cdef bint _is_anonymous(uri)
