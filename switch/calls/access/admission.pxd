# What Admission holds in C; admission.py runs without.

cimport cython

from switchroom.protocols.sip.identifiers cimport Mint
from switchroom.protocols.sip.message cimport Request
from switchroom.switch.calls.routing.router cimport Router
from switchroom.switch.calls.rules cimport Caller
from switchroom.switch.calls.trunks.trunk cimport Trunk

from .limits cimport Caps
from .overload cimport Overload

cdef class Admission:
    cdef readonly Caps caps
    cdef readonly Overload overload
    cdef public Py_ssize_t elsewhere, setups
    cdef public bint is_draining
    cdef Mint _mint
    cdef object _records, _busy
    cdef Py_ssize_t _max_calls

    @cython.locals(overload=Overload)
    cpdef shed(self, Router router, Request request)
    cpdef inspect(self, Request request)
    cpdef str why(self, Caller caller, Py_ssize_t count)
    @cython.locals(trunk=Trunk)
    cpdef limit(self, Caller caller, str number, Py_ssize_t count, double now)

@cython.locals(kind=str)
cdef object _unreadable(Request request)
