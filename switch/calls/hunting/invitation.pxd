# The types of invitation.py, which runs without.

cimport cython

from switchroom.protocols.sip.flow cimport Flow
from switchroom.protocols.sip.identifiers cimport Mint
from switchroom.protocols.sip.message cimport Request
from switchroom.protocols.sip.session cimport Session
from switchroom.switch.calls cimport identity
from switchroom.switch.calls.call cimport Call
from switchroom.switch.calls.contact cimport contact_for
from switchroom.switch.calls.exchange cimport Exchange
from switchroom.switch.calls.identity cimport Identity
from switchroom.switch.calls.leg cimport Leg, offered, sdp_headers
from switchroom.switch.media.leg cimport MediaLeg
from switchroom.switch.calls.routing.plan cimport Leap
from switchroom.switch.calls.trunks.trunk cimport Dress, Trunk

from .attempt cimport Attempt, Failure, Target
from .dialling cimport Dialling, Errand
from .hunt cimport Run

@cython.locals(exchange=Exchange, call=Call, errand=Errand, trunk=Trunk, leg=Leg, session=Session, invite=Request, flow=Flow,
               media=MediaLeg)
cpdef Leg send(Dialling dialling, Attempt attempt, Target target, breadth, double now)
@cython.locals(exchange=Exchange, errand=Errand, mint=Mint, headers=list)
cdef list _headers(Dialling dialling, Attempt attempt, Target target, Dress written, bytes body)
cpdef report(Trunk trunk, Leg leg, Failure failure, double now)
cdef object _authorizer(Attempt attempt)
@cython.locals(errand=Errand, leap=Leap, who=Identity, trunk=Trunk, dress=Dress, domain=str, more=list)
cdef Dress _written(Dialling dialling, Attempt attempt, Target target, double now)
@cython.locals(leap=Leap, who=Identity, run=Run)
cdef Identity _caller_of(Errand errand, Attempt attempt)
