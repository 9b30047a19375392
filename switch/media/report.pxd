# What reports hold in C; report.py runs without.

import cython

@cython.freelist(64)
@cython.no_gc  # nothing that it refers to leads back
cdef class StreamReport:
    cdef readonly int leg, line
    cdef readonly str kind, codec, security
    cdef readonly object counters, detail
    cdef public object quality

@cython.freelist(64)
@cython.no_gc  # nothing that it refers to leads back
cdef class MediaReport:
    cdef readonly tuple codecs, streams, troubles
    cdef readonly object a, b

@cython.locals(one=StreamReport)
cpdef judge_sound(list streams)
@cython.locals(stream=StreamReport, secured=str)
cpdef object sum_up(list streams, int leg)
