# What Policy holds in C; policy.py runs without.

cdef class Policy:
    cdef readonly str srtp, keying
    cdef readonly bint is_browser, has_info, is_swapped
