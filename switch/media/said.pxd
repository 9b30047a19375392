# What is heard and written is held in C; said.py runs without.

import cython

from ._cut cimport cut, put
from ._engine cimport Stream
from .negotiate cimport Line, Opening

@cython.freelist(64)
@cython.no_gc  # nothing that it refers to leads back
cdef class Wish:
    cdef readonly str kind, host
    cdef readonly object transport, rtcp
    cdef readonly int port
    cdef readonly bint has_mux, can_be_relayed

cdef class Body:
    cdef readonly object description
    cdef readonly bint has_mux
    cdef readonly bytes head, plain, muxed
    cdef tuple _names
    cdef Body _extended

    cpdef Body extended(self, tuple allowed, tuple converted)

cdef class Known:
    cdef readonly str host
    cdef readonly Body body

@cython.freelist(64)
@cython.no_gc  # nothing that it refers to leads back
cdef class Said:
    cdef readonly object description
    cdef readonly list wishes
    cdef readonly Body body
    cdef readonly bytes data
    cdef readonly tuple heard

    cpdef Said shown_as(self, description, Body body=*)
    @cython.locals(body=Body, line=Line, tail=bytes)
    cpdef bytes write(self, Opening opening, list lines, dress=*)

cdef class Agreed:
    cdef readonly tuple streams, terms, plans, kinds, codecs, are_taken
    cdef public Body told
    cdef readonly bint has_plans, is_converted

cpdef Said parse(bytes data)
cpdef object kept(Said said)
cpdef Said again(kept)
cpdef bytes octets_of(kept)
@cython.locals(host=str, port=int, is_hidden=bint)
cpdef aim(Stream stream, Wish wish, str toward, str local)
cpdef Said extended(Said said, tuple allowed, tuple converted)
@cython.locals(line=Line)
cpdef Agreed agree(Said offer, Said sent, list lines, Said answer, tuple converted)
cpdef Said told(Said answer, Agreed agreed)
@cython.locals(found=tuple, number=int, text=bytes, known=Known, body=Body, wish=Wish)
cdef Said _parse_quickly(bytes data)
cdef Known _look(bytes text, int port)

cdef dict _known
cdef Py_ssize_t _MAX_SIZE
