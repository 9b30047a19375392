# What the guard holds in C; guard.py runs without.

import cython

cdef class _Levels:
    cdef object _levels
    cdef Py_ssize_t _max_keys

    @cython.locals(known=tuple, since=double, level=double)
    cpdef double level(self, str key, double leak, double now) except -1
    @cython.locals(level=double)
    cpdef double add(self, str key, double leak, double now, double most=*) except -1
    cpdef forget(self, str key)
    cpdef take_one(self, str key)

cdef class Guard:
    cdef public object limits, ban_list
    cdef public long long failures, bans, dropped
    cdef object _on_alert
    cdef readonly object _alerted
    cdef Py_ssize_t _max_sources
    cdef readonly _Levels _failed, _accounts, _unanswered, _malformed

    cpdef bint is_banned(self, str host, double now) except -1
    cpdef bint may_challenge(self, str host, double now) except -1
    cpdef succeeded(self, str host)
