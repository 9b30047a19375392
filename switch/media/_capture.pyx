"""The packets that passed last, for Python: a thin face on capture.h."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from .stream import Captured

cdef extern from "arpa/inet.h" nogil:
    enum: AF_INET6, INET6_ADDRSTRLEN
    uint16_t ntohs(uint16_t)
    const char *inet_ntop(int family, const void *host, char *text, unsigned int size)

cdef extern from "capture.h" nogil:
    enum: CAPTURE_ALIGNMENT
    struct sockaddr:
        int sa_family
    struct sockaddr_in:
        uint16_t sin_port
        int sin_addr
    struct sockaddr_in6:
        int sin6_addr
    union address:
        sockaddr any
        sockaddr_in v4
        sockaddr_in6 v6
    struct captured:
        uint64_t at
        uint32_t call, size
        address source, destination
    struct capture:
        uint64_t room
    uint64_t captured_length(const captured *)
    size_t capture_copy(const capture *, uint8_t *to, size_t *start)


cdef object _place(const address *found):
    cdef char text[64]
    cdef const void *host = <const void *>&found.v4.sin_addr
    if found.any.sa_family == AF_INET6:
        host = <const void *>&found.v6.sin6_addr
    if inet_ntop(found.any.sa_family, host, text, INET6_ADDRSTRLEN) == NULL:
        return "", 0
    return text.decode(), ntohs(found.v4.sin_port)


cdef class Capture:
    """Room for copies of packets; the oldest go first."""

    cdef capture *_capture

    def __cinit__(self, uint32_t octets):
        if octets < 65536:
            raise ValueError(f"{octets} octets are too few")
        self._capture = <capture *>calloc(1, sizeof(capture) + octets)  # pages are touched when they are used
        if self._capture == NULL:
            raise MemoryError
        self._capture.room = octets // CAPTURE_ALIGNMENT * CAPTURE_ALIGNMENT

    def __dealloc__(self):
        free(self._capture)

    def share(self):
        """What Engine.keep() takes: a PyCapsule named switchroom.capture, which lives as long as this."""
        return PyCapsule_New(self._capture, "switchroom.capture", NULL)

    def packets(self, calls not None, double since):
        """Return the packets of calls (a set of their numbers) after a monotonic instant, the oldest first.

        It looks at everything that is kept: call it in a thread.
        """
        cdef uint8_t *copy = <uint8_t *>malloc(self._capture.room)
        cdef captured record
        cdef size_t at = 0, size
        cdef uint64_t first = <uint64_t>(max(since, 0.0) * 1e9)
        if copy == NULL:
            raise MemoryError
        found = []
        try:
            with nogil:
                size = capture_copy(self._capture, copy, &at)
            while at < size:
                memcpy(&record, copy + at, sizeof(record))
                if record.at >= first and record.call in calls:
                    data = PyBytes_FromStringAndSize(<char *>copy + at + sizeof(record), record.size)
                    found.append(Captured(record.at * 1e-9, _place(&record.source), _place(&record.destination), data))
                at += captured_length(&record)
        finally:
            free(copy)
        return found
