# The types of hearing.py, which runs without.

cimport cython
from switchroom.protocols.sip.events cimport (
    Event,
    SessionAcknowledged,
    SessionAnswered,
    SessionEnded,
    SessionProgressed,
    SessionRejected,
)

from . cimport bridge
from .call cimport Call
from .hunting.dialling cimport Dialling
from .leg cimport Leg

cdef dict HEARING

cpdef hear(Leg leg, Event event, double now)
@cython.locals(dialling=Dialling)
cpdef _on_rejected(Leg leg, SessionRejected event, double now)
@cython.locals(dialling=Dialling)
cpdef _on_answer(Leg leg, SessionAnswered event, double now)
@cython.locals(dialling=Dialling)
cpdef _on_progress(Leg leg, SessionProgressed event, double now)
@cython.locals(call=Call)
cpdef _on_acknowledged(Leg leg, SessionAcknowledged event, double now)
cpdef _on_ended(Leg leg, SessionEnded event, double now)
