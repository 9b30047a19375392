# What MediaLeg and its agreements hold in C; leg.py runs without.

import cython

from .negotiate cimport Opening
from .ports cimport Pair
from .said cimport Agreed, Said, again, parse
from .security.security cimport Security

@cython.freelist(64)
cdef class Offer:
    cdef readonly MediaLeg by
    cdef readonly Said said, sent
    cdef readonly list lines
    cdef public bytes answer, rewritten

@cython.freelist(64)
cdef class Agreement:
    cdef readonly MediaLeg offerer, answerer
    cdef readonly object offer, answer
    cdef readonly Agreed agreed

    cpdef object side_of(self, MediaLeg leg, Py_ssize_t line)
    @cython.locals(i=Py_ssize_t)
    cpdef list linked(self)

@cython.freelist(64)
cdef class MediaLeg:
    cdef readonly int number
    cdef readonly str toward
    cdef public bint is_nat, is_holding, is_entered
    cdef public str bound, host
    cdef public Opening opening
    cdef public object served, station, waiting
    cdef public list pairs
    cdef public Offer offer
    cdef public Agreement agreement
    cdef public MediaLeg partner, inner
    cdef public bytes sent
    cdef public Said proposed
    cdef public Security security

    cpdef bint is_ours(self)
    cpdef take_origin(self, str bound, str host)
    @cython.locals(ports=list, pair=Pair)
    cpdef tuple export(self)
    cpdef take_up(self, str bound, str host, bytes sent)
    cpdef Pair pair_of(self, Py_ssize_t line)
    cpdef dict bundled(self, list lines)
    cpdef Said hear(self, bytes data)
    cpdef Said hear_offer(self, bytes data)
    cpdef Said hear_answer(self, bytes data)
    cpdef bytes write(self, Said said, list lines, dress)
