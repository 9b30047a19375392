# What bindings and their table hold in C; bindings.py runs without.

import cython

from switchroom.protocols.sip.flow cimport Flow
from switchroom.switch.net.clock cimport Clock

cdef class Binding:
    cdef readonly str user, contact, call_id, user_agent, instance
    cdef readonly double q, expires_at
    cdef readonly long long cseq
    cdef readonly object flow
    cdef readonly tuple path

@cython.locals(old=Binding)
cdef bint _is_refresh(Binding binding, list replaced) except -1

cdef class _Place:
    cdef public tuple bindings
    cdef public long long due

cdef class Bindings:
    cdef public object _store, share
    cdef Clock _clock
    cdef dict _places, _hosts
    cdef readonly dict _due, _connections
    cdef readonly list _seconds
    cdef Py_ssize_t _count

    @cython.locals(place=_Place, binding=Binding)
    cpdef tuple of(self, str user, double now)
    cpdef bint has_host(self, str host) except -1
    @cython.locals(binding=Binding, replaced=list, gone=list)
    cpdef list put(self, str user, bindings, saved=*)
    @cython.locals(place=_Place)
    cpdef dict _by_contact(self, dict changed, str user)
    @cython.locals(place=_Place, binding=Binding, before=tuple, gone=list)
    cpdef list _set(self, str user, bindings)
    @cython.locals(binding=Binding, hosts=dict)
    cpdef _count_hosts(self, before, after)
    @cython.locals(second=cython.longlong, first=double, binding=Binding)
    cpdef _arm(self, str user, _Place place)
    cpdef _disarm(self, str user, _Place place)
    cpdef _disconnect(self, str user, connection)
    @cython.locals(flow=Flow)
    cpdef _stored(self, Binding binding)
