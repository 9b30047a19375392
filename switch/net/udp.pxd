# What UdpListener holds in C; udp.py runs without.

cimport cython

from .limits cimport NetCounters

cdef class UdpListener:
    cdef public object socket, _batch, _on_datagrams
    cdef public str host
    cdef public int port
    cdef readonly tuple local
    cdef public bint is_wildcard
    cdef public list outbox
    cdef object _on_failures, _waiting, _sent, _remember, _loop, _time, _readable, _writable
    cdef NetCounters _counters
    cdef Py_ssize_t _queue_size
    cdef double _woken_at
    cdef int _rapid_wakes

    cpdef flush(self)
    cpdef list take_failures(self)
    @cython.locals(datagrams=list, count=Py_ssize_t)
    cpdef Py_ssize_t _take(self) except -1
    @cython.locals(sent=list, octets=Py_ssize_t, data=bytes)
    cpdef Py_ssize_t _send(self, list datagrams) except -1
    cpdef _wait(self, datagrams)
