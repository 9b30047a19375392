# What Security holds in C; security.py runs without.

import cython

from ..ports cimport Pair
from .policy cimport Policy

@cython.freelist(64)
cdef class Security:
    cdef public Policy policy
    cdef public tuple channels
    cdef object _guard, _pending, _offered, _mids, _mid_ids, _payloads, _sources
    cdef tuple _said

    cpdef hear_offer(self, tuple heard, offer, bint is_nat)
    cpdef _hear_plain_offer(self, offer)
    cpdef bint is_secured(self) except -1
    cpdef object dress_answer(self, leg)
    cpdef object make_offer(self, leg, offer, bint is_secured)
    @cython.locals(policy=Policy)
    cpdef tuple _offered_mode(self, bint is_secured)
    cpdef hear_answer(self, tuple heard, answer)
    cpdef _hear_plain_answer(self)
    cpdef settle(self, leg)
    cpdef bint is_bare(self)
    cpdef object shield_of(self, Py_ssize_t line)
    cpdef bint has_mux(self, Py_ssize_t line) except -1
    cpdef install(self, Py_ssize_t line, Pair pair, target, bint is_nat)
    cpdef uninstall(self)
    cpdef take_over(self, Security other)
    cpdef str describe(self, Py_ssize_t line)
