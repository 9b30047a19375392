# What is heard and written is held in C; said.py runs without.

import cython

from .negotiate cimport Line

cdef class Wish:
    cdef readonly str kind, host
    cdef readonly object transport, rtcp
    cdef readonly int port
    cdef readonly bint has_mux, can_be_relayed

cdef class Body:
    cdef readonly object description
    cdef readonly bint has_mux
    cdef readonly str head, plain, muxed

cdef class Known:
    cdef readonly str host
    cdef readonly Body body

cdef class Said:
    cdef readonly object description
    cdef readonly list wishes
    cdef readonly Body body
    cdef readonly bytes data
    cdef readonly tuple heard

    cpdef Said shown_as(self, description, Body body=*)
    @cython.locals(body=Body, line=Line, username=str, session=str, count=str, family=str, own=str, tail=str, text=str)
    cpdef bytes write(self, origin, str host, list lines, dress=*)

cdef class Agreed:
    cdef readonly tuple streams, terms, plans
    cdef public Body told
    cdef readonly bint has_plans, is_converted

cpdef Said parse(bytes data)
cpdef object kept(Said said)
cpdef Said again(kept)
cpdef bytes octets_of(kept)
cpdef tuple targets_of(Wish wish, str toward, str local)
cpdef Said extended(Said said, tuple allowed, tuple converted)
@cython.locals(line=Line)
cpdef Agreed agree(Said offer, Said sent, list lines, Said answer, tuple converted)
cpdef Said told(Said answer, Agreed agreed)
@cython.locals(before=bytes, line=bytes, origin=bytes, session=bytes, head=bytes, own=bytes, port=bytes, media=bytes,
               number=int, known=Known, body=Body, wish=Wish)
cdef Said _parse_quickly(bytes data)
@cython.locals(number=int, octet=cython.uchar)
cdef int _port_in(bytes word)
@cython.locals(words=int, size=int, i=int, least=int, most=int, longest=int, octet=cython.uchar)
cdef bint _is_origin(bytes head)
@cython.locals(octet=cython.uchar)
cdef bint _is_host(bytes word)

@cython.locals(last=int, octet=cython.uchar)
cdef bint _may_differ(bytes media)

cdef unsigned char _SPACE, _DOT, _ZERO, _NINE, _TILDE
cdef int _RTC, _SSR
