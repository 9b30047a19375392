# What the classes of hunt.py hold in C; the same module runs without.

cimport cython

from switchroom.switch.calls.routing.plan cimport Inquiry, Leap, Plan, Step
from switchroom.switch.calls.routing.router cimport Router

from .attempt cimport Attempt, Failure

@cython.freelist(64)
cdef class Run:
    cdef readonly Plan plan
    cdef readonly Run outer
    cdef readonly tuple diversions
    cdef Step step
    cdef Py_ssize_t index, open
    cdef bint is_stopped

@cython.freelist(64)
cdef class Hunt:
    cdef Router _router
    cdef bint _has_boxes
    cdef Py_ssize_t _left
    cdef readonly list notes, attempts, failures

    @cython.locals(attempt=Attempt, at=double)
    cpdef double next_check(self)
    cpdef list begin(self, Plan plan, double now)
    @cython.locals(run=Run)
    cpdef list fail(self, Attempt attempt, Failure failure, double now)
    @cython.locals(run=Run)
    cpdef list redirect(self, Attempt attempt, Plan plan, double now)
    @cython.locals(attempt=Attempt, left=list)
    cpdef list stop(self)
    @cython.locals(step=Step)
    cpdef _lose(self, Run run, Failure failure)
    @cython.locals(step=Step, leap=Leap, outer=Run)
    cpdef _advance(self, Run run, double now, list fresh)
    cpdef _launch(self, Leap leap, Run run, double give_up_at, double now, list fresh)
    cpdef _turn(self, Leap leap, Plan plan, Run run, double now, list fresh)
