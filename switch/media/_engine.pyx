"""The media engine for Python: a thin face on engine_core.c. Nothing here runs for a packet."""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.errno cimport errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

import os

from ._conversion import Converter
from .stream import Counters, Totals

cdef extern from "unistd.h" nogil:
    int usleep(unsigned int microseconds)

cdef extern from "engine_core.h" nogil:
    enum: MAX_CLOCKS, NO_END, RTP, RTCP
    enum verb: PROGRAM, WATCH, RELEASE, CLOSE, TAP, RUN
    union address:
        pass
    struct clock_rate:
        uint32_t rate
        uint8_t payload_type
    struct program:
        address signalled[2]
        address home
        clock_rate clocks[8]
        uint64_t first_timeout, timeout
        uint32_t peer, next, generation, call, max_rate
        uint8_t clock_count
        bint is_counted, is_nat, is_mux, pins_ssrc, is_rtp, is_secured, has_others
    struct converter:
        pass
    struct errand:
        pass
    struct command:
        verb verb
        uint32_t index
        program program
        converter *converter
        errand *errand
    struct snapshot:
        uint64_t packets, bytes, rtcp_packets, out_of_order, duplicates, last_at
        uint64_t dropped[7]
        int64_t lost
        double jitter_ms
    struct totals:
        uint64_t packets, bytes, wakes
        uint64_t dropped[7]
    struct expiry:
        uint32_t index, generation
    struct engine:
        int expiry_fd
        uint32_t capacity
    engine *engine_new(uint32_t capacity, uint64_t tick, uint64_t sweep_interval)
    int engine_start(engine *)
    void engine_stop(engine *)
    void engine_free(engine *)
    int address_parse(const char *host, uint16_t port, address *)
    int engine_open(engine *, uint32_t index, const char *host, uint16_t port, int dscp)
    int engine_push(engine *, const command *)
    void engine_read(engine *, uint32_t index, uint32_t generation, snapshot *)
    void engine_read_totals(engine *, totals *)
    bint engine_next_expiry(engine *, expiry *)

cdef int _parse(object pair, address *out) except -1:
    if pair is None:
        memset(out, 0, sizeof(address))
        return 0
    host, port = pair
    if address_parse(host.encode(), port, out) < 0:
        raise ValueError(f"not an address: {host}")
    return 0


cdef converter *_converter(object wanted) except? NULL:
    """Of a Conversion, or of something that is ready to be handed over."""
    if wanted is None:
        return NULL
    capsule = wanted.hand_over() if hasattr(wanted, "hand_over") else Converter(wanted).hand_over()
    return <converter *>PyCapsule_GetPointer(capsule, "switchroom.converter")


cdef class Engine:
    """A thread that relays between pairs of ports; start() before, stop() after everything else."""

    cdef engine *_engine

    def __cinit__(self, uint32_t capacity, *, double tick=0.001, double sweep_interval=1.0):
        self._engine = engine_new(capacity, <uint64_t>(tick * 1e9), <uint64_t>(sweep_interval * 1e9))
        if self._engine == NULL:
            raise OSError(errno, os.strerror(errno))

    def __dealloc__(self):
        if self._engine != NULL:
            with nogil:
                engine_free(self._engine)

    @property
    def expiry_fd(self):
        """Readable when next_expiry() has something."""
        return self._engine.expiry_fd

    def start(self):
        """Start the thread."""
        if engine_start(self._engine) < 0:
            raise OSError(errno, os.strerror(errno))

    def stop(self):
        """End the thread and close all sockets."""
        with nogil:
            engine_stop(self._engine)

    cdef int _push(self, command *what) except -1:
        if what.index >= self._engine.capacity:
            raise IndexError(what.index)
        while engine_push(self._engine, what) < 0:
            with nogil:
                usleep(50)  # the ring is emptied within a tick
        return 0

    cdef int _push_verb(self, int what, uint32_t index) except -1:
        cdef command message
        message.verb = <verb>what
        message.index = index
        return self._push(&message)

    def open(self, uint32_t index, str host, uint16_t port, int dscp):
        """Bind the ports ``port`` and ``port + 1`` as end ``index``; OSError when that cannot be."""
        if engine_open(self._engine, index, host.encode(), port, dscp) < 0:
            raise OSError(errno, f"{os.strerror(errno)}: {host} port {port}")

    def close(self, uint32_t index):
        """Close an end's sockets."""
        self._push_verb(CLOSE, index)

    def release(self, uint32_t index):
        """An end's call is over: nothing passes until the next program()."""
        self._push_verb(RELEASE, index)

    def watch(self, uint32_t index):
        """From now on silence of the chain that begins here is reported."""
        self._push_verb(WATCH, index)

    def program(self, uint32_t index, stream not None):
        """Tell an end whom to hear and where to send; latches start anew."""
        cdef command message
        cdef program *p = &message.program
        (
            p.peer, p.call, p.generation, home, rtp, rtcp, p.next, first_timeout, timeout, p.is_nat, p.is_mux, terms,
            conversion,
        ) = stream
        _, clocks, p.max_rate, p.is_counted, p.pins_ssrc, p.is_rtp, p.is_secured, p.has_others = terms
        if index >= self._engine.capacity or p.peer >= self._engine.capacity and p.peer != <uint32_t>NO_END:
            raise IndexError(index, p.peer)
        message.verb = PROGRAM
        message.index = index
        _parse((home, 0), &p.home)
        _parse(rtp, &p.signalled[<int>RTP])
        _parse(rtcp, &p.signalled[<int>RTCP])
        p.first_timeout = <uint64_t>(<double>first_timeout * 1e9)
        p.timeout = <uint64_t>(<double>timeout * 1e9)
        p.clock_count = min(len(clocks), <int>MAX_CLOCKS)
        for i in range(p.clock_count):
            p.clocks[i].payload_type, p.clocks[i].rate = clocks[i]
        message.converter = _converter(conversion)
        self._push(&message)

    def tap(self, uint32_t index, listener):
        """Let something with hand_over() hear what comes in at an end and passes; None: nobody any more."""
        cdef command message
        message.verb = TAP
        message.index = index
        message.converter = _converter(listener)
        self._push(&message)

    def run(self, task not None):
        """Let the thread do what a PyCapsule named switchroom.errand holds, once."""
        cdef command message
        message.verb = RUN
        message.index = 0
        message.errand = <errand *>PyCapsule_GetPointer(task, "switchroom.errand")
        self._push(&message)

    def read(self, uint32_t index, uint32_t generation):
        """Return the Counters of an end, or zeros when its pair serves another call by now."""
        cdef snapshot s
        if index >= self._engine.capacity:
            raise IndexError(index)
        engine_read(self._engine, index, generation, &s)
        return Counters(
            s.packets, s.bytes, s.rtcp_packets, s.lost, s.jitter_ms, s.out_of_order, s.duplicates,
            s.last_at * 1e-9 if s.last_at else None,
            (s.dropped[1], s.dropped[2], s.dropped[3], s.dropped[4], s.dropped[5], s.dropped[6]),
        )

    def read_totals(self):
        """Return the Totals of all ends."""
        cdef totals t
        engine_read_totals(self._engine, &t)
        return Totals(
            t.packets, t.bytes, t.wakes,
            (t.dropped[1], t.dropped[2], t.dropped[3], t.dropped[4], t.dropped[5], t.dropped[6]),
        )

    def next_expiry(self):
        """Return (index, generation) of the head of a chain that fell silent, or None."""
        cdef expiry e
        if engine_next_expiry(self._engine, &e):
            return e.index, e.generation
        return None
