# What Exchange holds in C; exchange.py runs without.

cdef class Exchange

cimport cython
from switchroom.protocols.sip.endpoint cimport Endpoint
from switchroom.protocols.sip.events cimport Event, RequestReceived
from switchroom.protocols.sip.flow cimport Flow
from switchroom.protocols.sip.identifiers cimport Mint
from switchroom.protocols.sip.message cimport Request
from switchroom.protocols.sip.refresh cimport inspect_timing
from switchroom.protocols.wheel cimport Slots
from switchroom.switch.media.plane cimport MediaPlane
from switchroom.switch.net.clock cimport Clock

from . cimport hearing, identity, keys, survival
from .access.admission cimport Admission
from .access.reception cimport Reception
from .call cimport Call
from .contact cimport contact_for
from .identity cimport Identity
from .ledger cimport Ledger
from .passing cimport of_invite
from .registration.registrar cimport Registrar
from .routing.plan cimport Inquiry, Plan
from .routing.router cimport Router
from .rules cimport Caller, ExchangeConfig
from .trunks.trunk cimport Trunk
from .trunks.trunks cimport Trunks

cdef class Exchange:
    cdef public Endpoint endpoint
    cdef public Mint mint
    cdef public Registrar registrar
    cdef public Router router
    cdef public Trunks trunks
    cdef public Admission admission
    cdef public Reception reception
    cdef public object locator, log
    cdef public ExchangeConfig config
    cdef public MediaPlane media
    cdef public Clock clock
    cdef public Ledger ledger
    cdef public dict calls
    cdef public list features, on_call_state, app_numbers, claims
    cdef public object on_replaces, on_refer, on_notify, on_app, on_planned, claim, link, sign, verify
    cdef public tuple invite_headers
    cdef Slots _due
    cdef dict _timings
    cdef object _is_local

    cpdef handle_event(self, Event event, double now)
    cpdef bint is_trusted(self, str host)
    cpdef bint is_ours(self, uri, Flow flow)
    cpdef str _within(self, str number, uri)
    @cython.locals(request=Request, trunk=Trunk, who=Identity, plan=Plan)
    cpdef invite(self, RequestReceived event, Caller caller, unsupported, double now)
    cpdef Call begin(
        self, RequestReceived event, Caller caller, Identity who, str number, Plan plan, double now, only=*, verdict=*
    )
    @cython.locals(inquiry=Inquiry, plan=Plan)
    cpdef Plan plan(self, str shown, str number, Caller caller, double now)
    @cython.locals(trunk=Trunk)
    cpdef Identity identity_of(self, Request request, Caller caller)
    cpdef refuse(self, RequestReceived event, caller, refusal, double now, str number=*, plan=*, verdict=*)
    cpdef str _why(self, caller, int status, plan, verdict)
    cpdef str domain_for(self, Flow flow)
    cpdef timing_for(self, Trunk trunk)
    cpdef travelling(self, Request request, Trunk trunk)
    cpdef tell(self, Call call, double now)
    cpdef call_answered(self, Call call, double now)
    cpdef keep(self, Call call)
    cpdef call_over(self, Call call, int cause, str reason, str ended_by, double now)
    cpdef watch(self, Call call, double now)
    cpdef next_timer(self)
    cpdef handle_timer(self, double now)
