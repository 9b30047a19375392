# What the authenticator holds in C; auth.py runs without.

import cython

from switchroom.protocols.sip.digest cimport Credentials, Nonces, parse_credentials
from switchroom.protocols.sip.message cimport Request

from .guard cimport Guard

cdef class Authenticated:
    cdef readonly object caller, user

cdef class Challenged:
    cdef readonly int status
    cdef readonly tuple headers

cdef class _Account:
    cdef readonly object owner, outcome
    cdef readonly dict a1
    cdef readonly tuple sources
    cdef readonly str name, number, domain
    cdef readonly bint may_call, may_register

    cpdef bint owns(self, str user, str host) except -1
    cpdef bint admits(self, str method, str host) except -1

cdef class Authenticator:
    cdef public Guard guard
    cdef str _realm
    cdef readonly Nonces _nonces
    cdef dict _nobody, _accounts, _hosted, _doors
    cdef tuple _algorithms
    cdef list _first, _again

    cpdef authenticate(self, Request request, flow, double now)
    @cython.locals(value=str, credentials=Credentials)
    cpdef Credentials _credentials(self, Request request)
    @cython.locals(account=_Account, a1=dict, nonces=Nonces, nonce=str)
    cpdef _check(self, Request request, Credentials credentials, flow, double now)
    cpdef _Account _find(self, Request request, str name)
    cpdef _challenge(self, Request request, flow, double now, list around)

cdef bint _names(str text, Request request) except -1
@cython.locals(agent=str)
cdef bint _is_simple(Request request, flow) except -1
