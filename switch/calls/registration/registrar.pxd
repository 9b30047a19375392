# What the registrar holds in C; registrar.py runs without.

import cython

from switchroom.protocols.sip.message cimport Request

from .bindings cimport Binding, Bindings

cdef class Registrar:
    cdef object _clock, _is_local_host, _gruus
    cdef int _default_expires, _min_expires, _max_expires, _most_contacts
    cdef bint _is_stopping
    cdef Py_ssize_t _max_bindings
    cdef readonly Bindings _bindings
    cdef long long _date_at
    cdef str _date
    cdef public object max_contacts
    cdef public list on_change

    cpdef _take(self, config)
    cpdef tuple handle(self, Request request, flow, str account, double now)
    cpdef bint _is_ours(self, str host, flow) except -1
    cpdef list lookup(self, str user, double now)
    cpdef bint has_host(self, str host) except -1
    cpdef _changed(self, str user, double now)
    cpdef tuple _remove_all(self, Request request, str account, double now)
    @cython.locals(
        binding=Binding, old=Binding, before=tuple, kept=list, saved=list, contact=str, instance=str,
        user_agent=str, call_id=str, cseq=cython.longlong, growth=cython.Py_ssize_t, is_outbound=cython.bint,
    )
    cpdef tuple _update(self, Request request, tuple contacts, flow, str account, str host, double now)
    @cython.locals(binding=Binding)
    cpdef tuple _ok(self, tuple bindings, double now, way, str host, tuple more=*)
    cpdef str _gruus_of(self, Binding binding, str host)
    cpdef str _date_of(self, double now)

cdef bint _is_older(str call_id, long long cseq, Binding binding) except -1
cdef str _contact_of(address)
cdef bint _has_extras(Request request) except -1
cdef list _replaced(bindings, str contact, flow_of)
@cython.locals(binding=Binding)
cdef Binding _find(bindings, str contact)
cdef str _as_contact(Binding binding, double now)
cdef str _instance_of(address)
cdef str _printable(str text)
