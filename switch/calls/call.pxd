# What Call holds in C; call.py runs without.

cdef class Call

cimport cython
from switchroom.protocols.sip.endpoint cimport Endpoint
from switchroom.protocols.sip.events cimport RequestReceived
from switchroom.protocols.sip.message cimport Message, Request, Response
from switchroom.protocols.sip.session cimport Session
from switchroom.switch.media.session cimport MediaSession
from switchroom.switch.store.record cimport Record

from . cimport bridge, early
from .contact cimport contact_for
from .early cimport Early
from .exchange cimport Exchange
from .hunting.dialling cimport Dialling, Errand
from .identity cimport Identity
from .leg cimport Leg, leg_of_caller, offered, sdp_headers, sdp_of
from .passing cimport of_answer, of_refusal
from .routing.plan cimport Plan
from .rules cimport Caller
from .trunks.trunk cimport Trunk

@cython.freelist(64)
cdef class Call:
    cdef public Exchange exchange
    cdef public Leg a, b, early_offerer
    cdef public Record record
    cdef public MediaSession media
    cdef public Caller caller
    cdef public Dialling dialling
    cdef public Plan plan
    cdef public Identity identity
    cdef public object earlies, kept, on_over
    cdef public str id, account
    cdef public list notes
    cdef public int rung
    cdef public bint has_offer, is_heard, is_over, plays_early, has_survived
    cdef public double setup_at, no_answer_at, enter_at, max_duration, probe_at, look_at, doubted_until
    cdef public object answered_at, doubted_since

    cpdef Early early_of(self, Leg leg, str remote_tag)
    cpdef keep_changes(self)
    @cython.locals(request=Request)
    cpdef start(self, RequestReceived event, Identity identity, Plan plan, double now, only=*)
    cpdef bytes take_caller(self, RequestReceived event, double now)
    @cython.locals(endpoint=Endpoint, session=Session, trunk=Trunk)
    cpdef accept(self, Leg leg, RequestReceived event, Caller caller, double now)
    cpdef dial(self, Plan plan, Errand errand, double now)
    cpdef rang(self, int status, double now)
    cpdef on_calling(self, double now)
    cpdef on_progress(self, Leg leg, Response response, double now)
    cpdef on_dropped(self, Leg leg, double now)
    cpdef on_answer(self, Leg leg, Response response, double now)
    cpdef tuple _body_of(self, Leg leg, Response response, Early known)
    cpdef _connect(self, Leg leg, double now)
    cpdef note_callee(self, Leg leg)
    cpdef bint on_app(self, to, double now)
    cpdef connect_app(self, double now)
    cpdef on_failed(self, failure, double now)
    cpdef on_cancelled(self, Request request, double now)
    cpdef _hang_up_forks(self, headers, double now)
    @cython.locals(leg=Leg)
    cpdef finish(self, int cause, str reason, str ended_by, double now)
    @cython.locals(at=double, answered_at=double)
    cpdef double next_check(self)
    cpdef check(self, double now)
    cpdef _probe(self, double now)
