# What the classes of attempt.py hold in C; the same module runs without.

cimport cython

from switchroom.switch.calls.contact cimport host_of
from switchroom.switch.calls.routing.plan cimport Leap
from switchroom.switch.calls.trunks.trunk cimport Trunk

cdef class Failure:
    cdef readonly int status
    cdef readonly str reason
    cdef readonly object response
    cdef readonly bint was_reached, is_ours

@cython.freelist(64)
@cython.no_gc  # nothing that it refers to leads back
cdef class Target:
    cdef readonly str uri
    cdef readonly object flow
    cdef readonly double timeout, ring_time
    cdef readonly bint is_nat
    cdef readonly tuple routes

@cython.freelist(64)
cdef class Attempt:
    cdef readonly Leap leap
    cdef readonly object run
    cdef readonly str user
    cdef readonly double since
    cdef public double give_up_at, silent_at, group_ends_at
    cdef public bint is_over
    cdef public object breadth
    cdef public Trunk trunk
    cdef public tuple codecs
    cdef public list groups, legs, failures

    cpdef double next_check(self)
    @cython.locals(trunk=Trunk)
    cpdef let_go(self)
    cpdef bint may_go_on(self, Failure failure)

cpdef list phones(list bindings, user, double silence)
cdef Target _phone(binding, double silence, double ring_time)
