# What the classes of targets.py hold in C; the same module runs without.

cimport cython

from switchroom.protocols.wheel cimport Timed

cdef class Targets

cdef class Way:
    cdef readonly object flow
    cdef readonly double timeout
    cdef readonly bint is_probe

cdef class Target(Timed):
    cdef Targets _group
    cdef readonly object hop
    cdef public bint is_dead, is_doubted, answers_probes
    cdef public str trouble
    cdef public double heard_at
    cdef double _blocked_until, _quiet_until
    cdef Py_ssize_t _good, _bad, _rests
    cdef object _transaction
    cdef bint _is_told

    cpdef bint is_live(self, double now)
    cpdef heard(self, double now)
    cpdef good(self, double now)
    cpdef handle_timer(self, double now)

cdef class Targets(Timed):
    cdef readonly bint is_proxy, is_fenced
    cdef readonly str name
    cdef readonly object means, probing
    cdef readonly tuple addresses
    cdef dict _found, _targets
    cdef double _known_until
    cdef Target _known
    cdef Way _known_way

    cpdef handle_timer(self, double now)
    cpdef Target _target(self, hop, double now)
    @cython.locals(target=Target, found=Target)
    cpdef list ways(self, double now, bint dead_too=*)
    @cython.locals(target=Target, found=Target)
    cpdef Target target_of(self, flow)
