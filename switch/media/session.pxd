# What MediaSession holds in C; session.py runs without.

import cython

from ._engine cimport Engine, Stream
from .leg cimport Agreement, MediaLeg, Offer
from .negotiate cimport Line
from .plane cimport MediaPlane
from .ports cimport Pair
from .quality.observer cimport Watch
from .report cimport MediaReport, judge_sound, sum_up
from .rules cimport Rules
from .said cimport Agreed, Said, Wish, agree, aim, extended, kept, told

@cython.freelist(64)
cdef class MediaSession:
    cdef public str key
    cdef readonly unsigned int number
    cdef public object context
    cdef public Watch watch
    cdef readonly list legs
    cdef readonly bint is_confirmed
    cdef readonly MediaPlane plane
    cdef object _past
    cdef MediaReport _report
    cdef unsigned int _watched

    cpdef MediaLeg leg(self, str toward, bint is_nat)
    @cython.locals(said=Said, sent=Said, i=Py_ssize_t, wish=Wish)
    cpdef bytes offer(self, MediaLeg source, MediaLeg target, bytes data, tuple codecs=*)
    @cython.locals(offer=Offer, said=Said, shown=Said, agreed=Agreed, line=Line, i=Py_ssize_t)
    cpdef bytes answer(self, MediaLeg source, MediaLeg target, bytes data)
    @cython.locals(leg=MediaLeg)
    cpdef confirm(self)
    @cython.locals(first=MediaLeg, second=MediaLeg, leg=MediaLeg, agreed=Agreed, i=Py_ssize_t, codec=str,
                   codecs=list, streams=list, other=int, watch=Watch)
    cpdef MediaReport report(self)
    @cython.locals(leg=MediaLeg, pair=Pair)
    cpdef MediaReport close(self)
    cpdef Line _offered_line(self, MediaLeg source, MediaLeg target, Py_ssize_t i, Wish wish)
    @cython.locals(wish=Wish)
    cpdef Line _answered_line(self, Offer offer, MediaLeg source, MediaLeg target, Py_ssize_t i, bint is_taken)
    @cython.locals(pair=Pair)
    cpdef Pair pair(self, MediaLeg leg, Py_ssize_t i)
    cpdef resolve(self, MediaLeg leg)
    @cython.locals(pair=Pair, engine=Engine)
    cpdef _count(self, list streams, MediaLeg leg, Py_ssize_t i, str kind, str codec)
    @cython.locals(offerer=MediaLeg, answerer=MediaLeg, following=cython.uint, linked=list, ones=dict, twos=dict,
                   i=Py_ssize_t, one=Pair, two=Pair, offered=Wish, answered=Wish, stream=Stream, leg=MediaLeg)
    cpdef link(self, Agreement agreement, Said offer, Said answer)
    cpdef _program(self, MediaLeg leg, Py_ssize_t i, Pair pair, Stream stream)
    @cython.locals(partner=MediaLeg, pair=Pair)
    cpdef unlink(self, MediaLeg leg)
    @cython.locals(rules=Rules, stream=Stream)
    cpdef Stream stream(self, MediaLeg leg, Wish wish, terms, Pair pair, Pair other, unsigned int following,
                        side, Py_ssize_t line)
    @cython.locals(leg=MediaLeg)
    cpdef bint _is_shielded(self, Py_ssize_t line) except -1
