# What the classes of core.py hold in C; the same module runs without.

cimport cython

from ..wheel cimport Slots, Timed, Wheel
from .counters cimport Counters
from .flow cimport Flow
from .identifiers cimport Mint
from .message cimport Request
from .timers cimport Timers

cdef Py_ssize_t _PILE_MASK
cdef double _NEVER

cdef class Usage:
    cdef public str call_id

    cpdef bint has_remote(self, str tag) except -1
    cpdef receive_request(self, Request request, Flow flow, str key, double now)
    cpdef receive_ack(self, Request request, double now)

cdef class Filed(Timed):
    cdef public str key
    cdef public Flow flow
    cdef Filed _above, _below

    cpdef _file(self, str key, Flow flow)
    cpdef on_flow_failed(self, str reason, double now)

cdef class Core:
    cdef public Timers timers
    cdef public Mint mint
    cdef public Py_ssize_t max_transactions, udp_request_limit
    cdef public object limits, on_malformed, advertise
    cdef public str user_agent
    cdef public Counters counters
    cdef public Wheel wheel
    cdef public dict clients, servers, sessions, merges
    cdef Slots _client_graves, _server_graves, _merge_graves
    cdef public list _watchers
    cdef dict _names
    cdef tuple _place
    cdef str _name
    cdef public list _events
    cdef list _over
    cdef public Py_ssize_t _told
    cdef public list _out

    cpdef list datagrams_to_send(self)
    cpdef emit(self, event)
    cpdef send(self, bytes data, Flow flow)
    cpdef send_again(self, bytes data, Flow flow)
    cpdef send_response(self, int status, bytes data, Flow flow)
    cpdef answer(self, Request request, Flow to, int status, str reason=*, headers=*, bytes body=*)
    cpdef bytes send_ack(self, Request request, Flow flow)
    cpdef advertised(self, Flow flow)
    cpdef str sent_by(self, Flow flow)
    cpdef str make_via(self, Flow flow, str branch)
    @cython.locals(at=cython.double)
    cpdef object next_timer(self)
    cpdef handle_timer(self, double now)
    @cython.locals(due=tuple)
    cpdef _level(self, Slots graves, dict table, double now)
    cpdef finish_client(self, Filed transaction, tuple grave, double until)
    cpdef bury_client(self, str key, tuple grave, double until)
    cpdef finish_server(self, Filed transaction, bytes grave, double until)
    cpdef bury_server(self, str key, bytes grave, double until)
    cpdef remember_merge(self, str merge, str key, double now)
    @cython.locals(below=Filed, pile=cython.Py_ssize_t)
    cpdef watch(self, Filed watcher)
    @cython.locals(above=Filed, below=Filed, pile=cython.Py_ssize_t)
    cpdef unwatch(self, Filed watcher)
    @cython.locals(watcher=Filed)
    cpdef list _depending(self, Flow flow)

cpdef Flow reply_flow(Request request, Flow flow)
