# What Caller and the rules hold in C; rules.py runs without.

cdef class Caller

cimport cython

from .trunks.trunk cimport Trunk

cdef class Caller:
    cdef readonly str account, number
    cdef readonly object user
    cdef readonly Trunk trunk
    cdef readonly bint is_private

cdef class OverloadRules:
    cdef readonly double lag, drop_lag
    cdef readonly Py_ssize_t max_setups, retry_after

cdef class ExchangeConfig:
    cdef readonly object domains, caps, timing
    cdef readonly str domain, user_agent
    cdef readonly dict users
    cdef readonly double answer_timeout, contact_timeout, max_duration, probe_interval, max_amplification
    cdef readonly Py_ssize_t max_forks, max_calls
    cdef readonly bint follow_redirects, has_hosted, survive_restart
    cdef readonly OverloadRules overload
    cdef readonly set recorded
    cdef dict _codecs, _policies

    cpdef tuple codecs_of(self, str account)
    @cython.locals(known=dict)
    cpdef policy_of(self, str account, str transport)
