# What Record holds in C; record.py runs without.

cimport cython

cdef list _pool

@cython.locals(seconds=cython.double, moment=cython.longlong, one=cython.ulonglong, two=cython.ulonglong, version=cython.uint, variant=cython.uint)
cpdef str record_id()

cdef class Record:
    cdef public object id, call_id_a, call_id_b, caller, callee, from_user, to_user, trunk
    cdef public object reason, ended_by, verdict
    cdef public object setup_at, ring_at, answer_at, end_at, duration, cause
    cdef public object codecs, media_a, media_b, explanation, state

    cpdef tuple live(self, slot, generation)
    cpdef tuple ended(self)
