# What Flows holds in C; flows.py runs without.

cimport cython

from switchroom.protocols.sip.flow cimport Flow

from .addresses cimport Addresses
from .limits cimport Recent
from .udp cimport UdpListener

cdef class Flows:
    cdef Addresses _addresses
    cdef list _bound, _failures
    cdef Recent _asked
    cdef dict _listener_of
    cdef UdpListener _latest
    cdef tuple _latest_local
    cdef public list listeners, for_streams

    @cython.locals(known=tuple)
    cpdef Flow flow_to(self, str host, port, str transport, str name=*)
    @cython.locals(listener=UdpListener)
    cpdef tuple _local_end(self, str transport, str local_host)
    @cython.locals(flow=Flow, listener=UdpListener)
    cpdef put(self, tuple item)
    @cython.locals(failures=list, listener=UdpListener)
    cpdef list flush(self)
    cpdef list take_for_streams(self)
    cpdef UdpListener _listener_at(self, tuple local)
    cpdef UdpListener _find_listener(self, tuple local)
