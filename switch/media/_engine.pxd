"""What other modules call in C; see _engine.pyx."""

from libc.stdint cimport uint16_t, uint32_t

cdef extern from *:
    struct engine
    struct ready

cdef class Stream:
    cdef public uint32_t peer, call, generation, next, traffic_class
    cdef public str home, rtp_host, rtcp_host
    cdef public uint16_t rtp_port, rtcp_port
    cdef public bint is_nat, is_mux, may_kernel
    cdef public double first_timeout, timeout
    cdef public object terms, conversion, shield, bundled

cdef class Engine:
    cdef engine *_engine
    cdef ready *_ready
    cdef object _memory, _gates, _capture

    cdef int _push(self, const void *what) except -1
    cdef int _push_verb(self, int what, uint32_t index) except -1
    cdef int _check(self, uint32_t index) except -1
    cpdef release(self, uint32_t index)
    cpdef watch(self, uint32_t index)
    cpdef program(self, uint32_t index, Stream stream)
    cpdef read(self, uint32_t index, uint32_t generation)
    cpdef read_detail(self, uint32_t index, uint32_t generation)
