# The types of verdict.py, which runs without.

cimport cython

from .call cimport Call
from .leg cimport Leg

cpdef str of(Call call, int cause, str reason, str ended_by, double now)
@cython.locals(leg=Leg)
cdef str _name(Call call)
cpdef str seconds(double time)
