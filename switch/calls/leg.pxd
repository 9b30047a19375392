# What Leg holds in C; leg.py runs without. ``call`` has no type here: a call's class knows its legs' class.

cimport cython
from switchroom.protocols.sip.events cimport RequestReceived
from switchroom.protocols.sip.flow cimport Flow
from switchroom.protocols.sip.message cimport Message, Response
from switchroom.protocols.sip.server cimport ServerTransaction
from switchroom.protocols.sip.session cimport Session
from switchroom.switch.media.leg cimport MediaLeg
from switchroom.switch.media.session cimport MediaSession

from .rules cimport Caller, ExchangeConfig
from .trunks.trunk cimport Trunk

@cython.freelist(64)
cdef class Leg:
    cdef public MediaLeg media
    cdef public object call, dialling, attempt, mover, server
    cdef public Trunk trunk
    cdef public Session session
    cdef public str account
    cdef public tuple codecs, retry
    cdef public bytes answer
    cdef public Response early_offer
    cdef public ServerTransaction offer_txn
    cdef public int refer_count
    cdef public bint is_a, is_failed, owes_answer

    cpdef part(self, double now)
    cpdef forget(self)
    @cython.locals(trunk=Trunk)
    cpdef release(self)

@cython.locals(session=MediaSession, flow=Flow, media=MediaLeg, leg=Leg, trunk=Trunk, rules=ExchangeConfig)
cpdef Leg leg_of_caller(call, RequestReceived event, Caller caller, bint is_a=*)
cpdef bytes offered(MediaSession media, Leg source, Leg target, bytes offer)
cpdef bytes sdp_of(Message message)
cpdef tuple sdp_headers(bytes body)
cpdef bint leads_elsewhere(Message message, tuple source)

