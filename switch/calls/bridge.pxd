# The types of bridge.py, which runs without.

cimport cython
from switchroom.protocols.sip.message cimport Message, Request, Response
from switchroom.protocols.sip.server cimport ServerTransaction

from .call cimport Call
from .leg cimport Leg, offered, sdp_headers, sdp_of
from .passing cimport of_refusal

@cython.locals(call=Call)
cpdef Leg other(Leg leg)
@cython.locals(call=Call, far=Leg)
cpdef on_acknowledged(Leg leg, Request request, double now)
@cython.locals(call=Call, far=Leg)
cpdef on_reinvite(Leg leg, ServerTransaction transaction, Request request, double now)
@cython.locals(call=Call, far=Leg)
cpdef on_reinvite_answered(Leg leg, Response response, double now)
@cython.locals(call=Call, far=Leg)
cpdef on_reinvite_rejected(Leg leg, Response response, int status, double now)
@cython.locals(one=double)
cpdef double next_retry(Call call)
@cython.locals(far=Leg)
cpdef retry(Call call, double now)
@cython.locals(call=Call)
cpdef on_request(Leg leg, transaction, Request request, double now)
@cython.locals(far=Leg)
cpdef relay(Leg leg, transaction, Request request, double now)
cpdef on_response(transaction, int status, double now, Response response=*)
@cython.locals(call=Call, far=Leg)
cpdef on_ended(Leg leg, str cause, Request request, double now)
