# What Exchange holds in C; exchange.py runs without.

cdef class Exchange

from switchroom.protocols.sip.endpoint cimport Endpoint
from switchroom.protocols.sip.events cimport Event, RequestReceived
from switchroom.protocols.sip.identifiers cimport Mint
from switchroom.protocols.sip.message cimport Request
from switchroom.protocols.wheel cimport Slots
from switchroom.switch.media.plane cimport MediaPlane
from switchroom.switch.net.clock cimport Clock

from .call cimport Call
from .ledger cimport Ledger

cdef class Exchange:
    cdef public Endpoint endpoint
    cdef public Mint mint
    cdef public object registrar, router, trunks, locator, log, config
    cdef public object admission, reception
    cdef public MediaPlane media
    cdef public Clock clock
    cdef public Ledger ledger
    cdef public dict calls
    cdef public list features, on_call_state, on_call_over
    cdef public object on_replaces, on_refer, on_notify, on_app, on_planned, claim, link, sign, verify
    cdef public tuple invite_headers
    cdef Slots _due
    cdef dict _timings
    cdef object _is_local

    cpdef handle_event(self, Event event, double now)
    cpdef bint is_trusted(self, str host)
    cpdef bint is_ours(self, uri, flow)
    cpdef str _within(self, str number, uri)
    cpdef invite(self, RequestReceived event, caller, unsupported, double now)
    cpdef Call begin(self, RequestReceived event, caller, who, str number, plan, double now, only=*, verdict=*)
    cpdef plan(self, str shown, str number, caller, double now)
    cpdef identity_of(self, Request request, caller)
    cpdef refuse(self, RequestReceived event, caller, refusal, double now, str number=*, plan=*, verdict=*)
    cpdef str _why(self, caller, int status, plan, verdict)
    cpdef str domain_for(self, flow)
    cpdef timing_for(self, trunk)
    cpdef tell(self, Call call, double now)
    cpdef call_answered(self, Call call, double now)
    cpdef keep(self, Call call)
    cpdef call_over(self, Call call, int cause, str reason, str ended_by, double now)
    cpdef watch(self, Call call, double now)
    cpdef next_timer(self)
    cpdef handle_timer(self, double now)
