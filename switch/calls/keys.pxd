# The types of keys.py, which runs without.

from .call cimport Call
from .leg cimport Leg

cpdef attend(Call call)
cdef _listen(Call call, Leg leg, Leg far)
cdef bint _has_events(Leg leg)
