# What the classes of counters.py hold in C; the same module runs without.

cimport cython

cdef class Count:
    cdef public long long number

cdef class Counters:
    cdef public dict _requests_in, _requests_out
    cdef public list _responses_in, _responses_out
    cdef public long long forks_refused, keepalives, merged, overloads, parse_errors, retransmissions
    cdef public long long retransmissions_in, sessions, strays, subscriptions, timeouts, transactions

    @cython.locals(count=Count)
    cpdef count_request_in(self, str method)
    @cython.locals(count=Count)
    cpdef count_request_out(self, str method)
    @cython.locals(count=Count)
    cpdef count_response_in(self, Py_ssize_t status)
    @cython.locals(count=Count)
    cpdef count_response_out(self, Py_ssize_t status)
