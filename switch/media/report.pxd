# What reports hold in C; report.py runs without.

import cython

cdef class StreamReport:
    cdef readonly int leg, line
    cdef readonly str kind, codec, security
    cdef readonly object counters, detail
    cdef public object quality

cdef class MediaReport:
    cdef readonly tuple codecs, streams, troubles
    cdef readonly object a, b

@cython.locals(one=StreamReport)
cpdef judge_sound(list streams)
@cython.locals(stream=StreamReport, secured=str)
cpdef object sum_up(list streams, int leg)
