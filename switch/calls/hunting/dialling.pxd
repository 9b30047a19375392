# What the classes of dialling.py hold in C; the same module runs without.

cimport cython

from switchroom.protocols.sip.message cimport Request, Response
from switchroom.switch.calls cimport passing, verdict
from switchroom.switch.calls.call cimport Call
from switchroom.switch.calls.exchange cimport Exchange
from switchroom.switch.calls.identity cimport Identity
from switchroom.switch.calls.leg cimport Leg
from switchroom.switch.calls.routing.plan cimport Plan
from switchroom.switch.calls.trunks.targets cimport Way
from switchroom.switch.calls.trunks.trunk cimport Trunk

from . cimport invitation
from .attempt cimport Attempt, Failure, Target
from .hunt cimport Hunt

@cython.freelist(64)
cdef class Errand:
    cdef readonly Identity identity
    cdef readonly Leg caller
    cdef readonly bytes offer
    cdef readonly int hops
    cdef readonly object breadth, headers, only, propose
    cdef readonly Request request
    cdef readonly bint is_emergency, is_reliable, has_boxes

@cython.freelist(64)
cdef class Dialling:
    cdef readonly Exchange exchange
    cdef readonly Call call
    cdef readonly object asker
    cdef readonly Errand errand
    cdef readonly list notes
    cdef readonly Hunt hunt
    cdef public list legs
    cdef public bint is_over

    cpdef begin(self, Plan plan, double now)
    @cython.locals(attempt=Attempt, other=Leg, left=Attempt)
    cpdef win(self, Leg leg, double now)
    cpdef lose(self, Leg leg, Failure failure, double now)
    @cython.locals(leg=Leg, left=Attempt)
    cpdef give_up(self, double now, headers=*)
    cpdef double next_check(self)
    @cython.locals(attempt=Attempt)
    cpdef check(self, double now)
    @cython.locals(attempt=Attempt)
    cpdef on_progress(self, Leg leg, Response response, double now)
    cpdef on_answer(self, Leg leg, Response response, double now)
    cpdef on_rejected(self, Leg leg, Response response, int status, str reason, double now)
    @cython.locals(attempt=Attempt)
    cpdef _try_all(self, list attempts, double now)
    cpdef _try(self, Attempt attempt, double now)
    @cython.locals(trunk=Trunk, way=Way)
    cpdef _try_trunk(self, Attempt attempt, str name, double now)
    cpdef _first_group(self, Attempt attempt, int status, str reason, double now)
    @cython.locals(group=list, room=Py_ssize_t, target=Target, first=Target, leg=Leg)
    cpdef _next_group(self, Attempt attempt, double now)
    @cython.locals(leg=Leg, count=Py_ssize_t)
    cpdef Py_ssize_t _count_open(self)
    cpdef _stumbled(self, Attempt attempt, Failure failure, double now)
    @cython.locals(attempt=Attempt)
    cpdef _leg_failed(self, Leg leg, Failure failure, double now)
    cpdef _failed(self, Attempt attempt, Failure failure, double now)
    @cython.locals(leg=Leg)
    cpdef _drop_media(self, Attempt attempt, double now)
    @cython.locals(leg=Leg)
    cpdef _drop_legs(self, Attempt attempt, double now, str outcome)
    @cython.locals(attempt=Attempt)
    cpdef bint _redirect(self, Leg leg, Response response, double now)
    cpdef _note(self, Attempt attempt, Failure failure, double now)
