# What the classes of core.py hold in C; the same module runs without.

cimport cython

from ..wheel cimport Slots, Timed, Wheel
from .flow cimport Flow
from .identifiers cimport Mint
from .message cimport Request
from .timers cimport Timers

cdef class Counters:
    cdef public dict requests_in, requests_out
    cdef public list responses_in, responses_out
    cdef public long long forks_refused, keepalives, merged, overloads, parse_errors, retransmissions
    cdef public long long retransmissions_in, sessions, strays, subscriptions, timeouts, transactions

    cpdef count(self, dict requests, str method)

cdef class Filed(Timed):
    cdef public str key
    cdef public Flow flow

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
    cdef public Slots _graves
    cdef public dict _watchers
    cdef dict _names
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
    cpdef str sent_by(self, Flow flow)
    cpdef str make_via(self, Flow flow, str branch)
    cpdef object next_timer(self)
    cpdef handle_timer(self, double now)
    cpdef finish_client(self, Filed transaction, tuple grave, double until)
    cpdef bury_client(self, str key, tuple grave, double until)
    cpdef finish_server(self, Filed transaction, bytes grave, double until)
    cpdef bury_server(self, str key, bytes grave, double until)
    cpdef remember_merge(self, Request request, str key, double now)
    cpdef watch(self, Filed watcher)
    cpdef unwatch(self, Filed watcher)

cpdef Flow reply_flow(Request request, Flow flow)
