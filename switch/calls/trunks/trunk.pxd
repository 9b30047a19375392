# What the classes of trunk.py hold in C; the same module runs without.

cimport cython

from switchroom.protocols.sip.uri cimport escape_user
from switchroom.switch.calls cimport identity
from switchroom.switch.calls.identity cimport Identity, from_header, identity_headers, number_in
from switchroom.switch.calls.rules cimport Caller

from .admission cimport Admission
from .targets cimport Target, Targets, Way

@cython.no_gc
@cython.freelist(64)
cdef class Dress:
    cdef readonly str uri, from_, to
    cdef readonly list headers

cdef class Trunk:
    cdef readonly str name
    cdef readonly Caller caller
    cdef readonly object config, rules, policy
    cdef readonly list registrations
    cdef readonly tuple codecs
    cdef readonly str session_timer
    cdef readonly bint has_rules, has_password, is_trusted, is_nat, rings_back, signs, is_verified, must_be_signed
    cdef readonly bint has_early_media
    cdef object _means, _plan, _uri_flow
    cdef Admission _admission
    cdef str _country, _domain, _from_user, _caller_id, _number_in, _called_in
    cdef bint _shows_as_is
    cdef tuple _proxies, _uri_ends
    cdef Targets _targets
    cdef list _registrars
    cdef dict _aliases

    cpdef admit(self, str number, double now, bint is_emergency=*, bint is_outgoing=*)
    cpdef take(self)
    cpdef give_back(self)
    cpdef list ways(self, double now, bint dead_too=*)
    @cython.locals(target=Target)
    cpdef report(self, flow, outcome, double now, retry_after=*)
    cpdef authorizer(self)
    cpdef tuple routes(self, double now)
    cpdef Dress dress(self, Identity caller, str number, flow, double now)
    cpdef Identity _shown(self, Identity caller)
    cpdef str _uri(self, str number, flow)
    cpdef Identity undress(self, request)
    cpdef str whole_in(self, str number)
    cpdef str whole_out(self, str number)
    cpdef str called(self, request)
