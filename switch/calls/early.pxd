# What Early holds in C; early.py runs without.

cdef class Early

from switchroom.protocols.sip.message cimport Response

from .call cimport Call
from .leg cimport Leg, offered, sdp_headers, sdp_of
from .passing cimport of_progress

cdef class Early:
    cdef public Leg leg
    cdef public str remote_tag, tag
    cdef public bytes sdp

cpdef on_progress(Call call, Leg leg, Response response, double now)
cpdef bytes take_answer(Call call, Leg leg, bytes sdp)
