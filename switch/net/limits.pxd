# What counts and judges messages holds in C; limits.py runs without.

cimport cython

cdef double _ONGOING_SHARE

cdef class NetCounters:
    cdef public long long datagrams_in, datagrams_out, messages_in, messages_out, octets_in, octets_out
    cdef public long long keep_alives, connections, connections_accepted, connections_opened, faults
    cdef public object handshakes, dropped, refused, closed, failed

cdef class Bucket:
    cdef public double tokens, at

    cpdef bint take(self, double rate, double burst, double now)

cdef class Recent:
    cdef Py_ssize_t _size
    cdef dict _old
    cdef readonly dict young

    cpdef get(self, key)
    cpdef put(self, key, value)
    cpdef clear(self)

cdef class Limiter:
    cdef object _is_trusted, _bans, _banned, _mark, _limits
    cdef Recent _sources, _callers, _registrants
    cdef Bucket _new, _registers, _calls, _refusals, _reserve, _ongoing
    cdef double _source_rate, _source_burst, _total_rate, _total_burst, _call_rate, _source_call_rate

    @cython.locals(bucket=Bucket, young=dict)
    cpdef judge(self, str host, bytes data, double now)
    cpdef bint _may_go_on(self, double now)
    cpdef bint _may_begin(self, str host, bytes data, double now)
    cpdef bint may_refuse(self, double now)
    cpdef Bucket _bucket_of(self, str host, double now)
