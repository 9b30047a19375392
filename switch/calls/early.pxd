# What Early holds in C; early.py runs without.

cdef class Early

cimport cython
from switchroom.protocols.sip.message cimport Response

from .call cimport Call
from .hunting.attempt cimport Attempt
from .leg cimport Leg, offered, sdp_headers, sdp_of
from .passing cimport of_progress
from .trunks.trunk cimport Trunk

cdef class Early:
    cdef public Leg leg
    cdef public str remote_tag, tag
    cdef public bytes sdp

@cython.locals(attempt=Attempt, trunk=Trunk)
cpdef on_progress(Call call, Leg leg, Response response, double now)
cpdef bytes take_answer(Call call, Leg leg, bytes sdp)
