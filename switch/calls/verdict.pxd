# The types of verdict.py, which runs without.

cpdef str of(call, int cause, str reason, str ended_by, double now)
cdef str _name(call)
cpdef str seconds(double time)
