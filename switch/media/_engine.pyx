"""The media engine for Python: a thin face on engine_core.c. Nothing here runs for a packet."""

from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.unicode cimport PyUnicode_AsUTF8
from libc.errno cimport errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

import os

from ._conversion import Converter
from .recoding import TABLES
from .stream import (
    ALONE, ANY_TERMS, NOTHING_CAME, NOTHING_DROPPED, NOTHING_HEARD,
    Counters, Detail, Handed, Heard, Made, Recoding, Runs, Totals,
)

cdef extern from "arpa/inet.h" nogil:
    enum: AF_INET, AF_INET6
    uint16_t ntohs(uint16_t)
    uint16_t htons(uint16_t)

cdef extern from "unistd.h" nogil:
    int usleep(unsigned int microseconds)

cdef extern from "engine_core.h" nogil:
    enum: MAX_CLOCKS, NO_END, RTP, RTCP, DROPS, INWARD, OUTWARD, PROTECTION_ROOM, NO_PAYLOAD_TYPE
    enum verb: PROGRAM, WATCH, RELEASE, CLOSE, TAP, RUN, HAND_OVER, TAKE_BACK, SECURE, FACE, SEND, REPORT, PRESS
    struct sockaddr_in:
        uint16_t sin_port
    union address:
        sockaddr_in v4
    struct shield:
        uint8_t ufrag[8]
        uint8_t mark[4]
        bint is_on, has_dtls, has_ice, is_faced
    struct clock_rate:
        uint32_t rate
        uint8_t payload_type
    struct retyped:
        uint8_t from_ "from"
        uint8_t to
        bint is_sound
    struct recoding:
        uint8_t form, count
        retyped types[8]
    struct program:
        address signalled[2]
        address home
        clock_rate clocks[8]
        uint64_t first_timeout, timeout
        uint32_t peer, next, carrier, rider, generation, call, max_rate, traffic_class
        uint64_t payloads[2]
        uint32_t declared[8]
        uint8_t mid_id, mid_size
        uint8_t mid[16]
        uint8_t clock_count
        bint is_counted, is_nat, is_mux, pins_ssrc, is_rtp, is_secured, has_others, may_kernel
        shield shield
        recoding recoding
    struct key_press:
        uint32_t rate, ms
        uint8_t number, type
    struct ready:
        uint32_t index, generation
        address source, local, sender, target
    struct next_hop:
        uint32_t family
        uint8_t host[16]
    struct way:
        uint32_t in_interface, out_interface, max_size
        next_hop next_hop
    struct kernel_stream:
        uint32_t is_open, in_interface, out_interface, max_size, address_difference, port_difference, header_sum
        uint32_t first_word, traffic_class, ssrc, clock_rate, units_per_ns, max_rate, transit, has_transit
        uint32_t highest, timestamp, recoding, leaves
        uint32_t next_hop[5]
        uint16_t source_port, sender_port
        uint64_t source[2]
        uint64_t sender[2]
        uint64_t target[2]
        uint64_t payload_types[2]
        uint64_t base_at, jitter, packets, octets, last_at, window_at, window_count, refused
    struct protector:
        pass
    struct datagram:
        size_t size
        uint8_t data[0]
    struct handed:
        uint32_t index, generation, size
        address source
        uint8_t data[1500]
    struct converter:
        pass
    struct errand:
        pass
    struct capture:
        pass
    struct raw:
        int fd
    struct gate:
        uint64_t host[2]
        uint64_t at
        uint32_t count, limit, family, index, is_alone
    struct gathering:
        int fds[2]
    struct command:
        verb verb
        uint32_t index
        program program
        ready found
        way way
        key_press press
        converter *converter
        errand *errand
        protector *protectors[2]
        address address
        datagram *datagram
        uint32_t generation
    struct snapshot:
        uint64_t packets, bytes, rtcp_packets, out_of_order, duplicates, last_at
        uint64_t dropped[16]
        int64_t lost
        double jitter_ms
        bint is_in_kernel
    struct runs:
        uint64_t c11, c13, c14, c22, c23, c33, at, lost
    struct reports:
        uint64_t sender_at, block_at, round_trip
        uint32_t sender_middle
        int32_t lost
        uint8_t fraction_lost, r_factor, mos
    struct made:
        uint64_t at, packets, octets
        uint32_t ssrc, timestamp
    struct detail:
        runs runs
        reports reports
        made made
        address stranger
        uint64_t last_at, rtcp_at, expected, counted, jitter
        uint32_t ssrc, highest, clock_rate, timestamp
        uint8_t payload_type
    void engine_read_detail(engine *, uint32_t index, uint32_t generation, detail *)
    struct totals:
        uint64_t packets, bytes, wakes, kernel_packets, kernel_streams, gathered
        uint64_t dropped[16]
    struct expiry:
        uint32_t index, generation
    struct engine:
        uint8_t octets[2][256]
        int expiry_fd, handed_fd
        raw raws[2]
        gathering gathering
        uint32_t capacity
        kernel_stream *streams
        bint may_realtime, is_realtime
        capture *capture
    engine *engine_new(uint32_t capacity, uint64_t tick, uint64_t sweep_interval)
    void engine_send_raw(engine *)
    int engine_gather(engine *, gate *, uint32_t first_port, uint32_t port_count)
    int engine_start(engine *)
    void engine_stop(engine *)
    void engine_free(engine *)
    int address_parse(const char *host, uint16_t port, address *)
    int engine_open(engine *, uint32_t index, const char *host, uint16_t port, int dscp)
    int engine_push(engine *, const command *)
    void engine_read(engine *, uint32_t index, uint32_t generation, snapshot *)
    void engine_read_totals(engine *, totals *)
    bint engine_next_expiry(engine *, expiry *)
    bint engine_next_ready(engine *, ready *)
    int address_print(const address *, char *text)
    const handed *engine_next_handed(engine *)
    void engine_took_handed(engine *)

cdef kernel_stream _sample
cdef char *_start = <char *>&_sample
# Where the program finds what the engine wrote: offsets within kernel_stream
KERNEL_LAYOUT = {
    "is_open": <char *>&_sample.is_open - _start,
    "in_interface": <char *>&_sample.in_interface - _start,
    "out_interface": <char *>&_sample.out_interface - _start,
    "max_size": <char *>&_sample.max_size - _start,
    "source": <char *>&_sample.source - _start,
    "sender": <char *>&_sample.sender - _start,
    "target": <char *>&_sample.target - _start,
    "source_port": <char *>&_sample.source_port - _start,
    "sender_port": <char *>&_sample.sender_port - _start,
    "next_hop": <char *>&_sample.next_hop - _start,
    "address_difference": <char *>&_sample.address_difference - _start,
    "port_difference": <char *>&_sample.port_difference - _start,
    "header_sum": <char *>&_sample.header_sum - _start,
    "first_word": <char *>&_sample.first_word - _start,
    "traffic_class": <char *>&_sample.traffic_class - _start,
    "ssrc": <char *>&_sample.ssrc - _start,
    "clock_rate": <char *>&_sample.clock_rate - _start,
    "units_per_ns": <char *>&_sample.units_per_ns - _start,
    "max_rate": <char *>&_sample.max_rate - _start,
    "payload_types": <char *>&_sample.payload_types - _start,
    "recoding": <char *>&_sample.recoding - _start,
    "leaves": <char *>&_sample.leaves - _start,
    "base_at": <char *>&_sample.base_at - _start,
    "jitter": <char *>&_sample.jitter - _start,
    "transit": <char *>&_sample.transit - _start,
    "has_transit": <char *>&_sample.has_transit - _start,
    "highest": <char *>&_sample.highest - _start,
    "timestamp": <char *>&_sample.timestamp - _start,
    "packets": <char *>&_sample.packets - _start,
    "octets": <char *>&_sample.octets - _start,
    "last_at": <char *>&_sample.last_at - _start,
    "window_at": <char *>&_sample.window_at - _start,
    "window_count": <char *>&_sample.window_count - _start,
    "refused": <char *>&_sample.refused - _start,
    "size": sizeof(kernel_stream),
}

cdef gate _gate
_start = <char *>&_gate
GATE_LAYOUT = {
    "host": <char *>&_gate.host - _start,
    "at": <char *>&_gate.at - _start,
    "count": <char *>&_gate.count - _start,
    "limit": <char *>&_gate.limit - _start,
    "family": <char *>&_gate.family - _start,
    "is_alone": <char *>&_gate.is_alone - _start,
    "size": sizeof(gate),
}

cdef tuple _tuple_of(object fields):
    """What is named has the form of a tuple, and is unpacked as one."""
    if not isinstance(fields, tuple):
        raise TypeError(f"no tuple: {fields!r}")
    return <tuple>fields


cdef int _bundle(object bundled, program *p) except -1:
    """The place of an end among those that share a transport."""
    cdef int i
    p.carrier, p.rider, payloads, sources, p.mid_id, mid = _tuple_of(bundled)
    p.mid_size = min(len(mid), 16)  # MID_SIZE
    memcpy(p.mid, <const char *><bytes>mid, p.mid_size)
    for i in range(min(len(sources), 8)):  # DECLARED
        p.declared[i] = sources[i]
    p.payloads[0], p.payloads[1] = payloads & 0xFFFFFFFFFFFFFFFF, payloads >> 64
    return 0


cdef int _parse(object pair, address *out) except -1:
    if pair is None:
        memset(out, 0, sizeof(address))
        return 0
    host, port = pair
    return _parse_host(host, port, out)


cdef int _parse_host(str host, uint16_t port, address *out) except -1:
    if address_parse(PyUnicode_AsUTF8(host), port, out) < 0:
        raise ValueError(f"not an address: {host}")
    return 0


cdef int _parse_beside(str host, uint16_t port, str known, const address *there, address *out) except -1:
    """The same where the host is likely to be a known one."""
    if host is None or port == 0:
        memset(out, 0, sizeof(address))
        return 0
    if host is not known and host != known:
        return _parse_host(host, port, out)
    out[0] = there[0]
    out.v4.sin_port = htons(port)  # same place in v6
    return 0


cdef converter *_converter(object wanted) except? NULL:
    """Of a Conversion, or of something that is ready to be handed over."""
    if wanted is None:
        return NULL
    capsule = wanted.hand_over() if hasattr(wanted, "hand_over") else Converter(wanted).hand_over()
    return <converter *>PyCapsule_GetPointer(capsule, "switchroom.converter")


cdef int _recode(object wanted, recoding *out) except -1:
    out.form, types = wanted
    for number, leaves, is_sound in types:
        one = &out.types[out.count]
        one.from_, one.to, one.is_sound = number, leaves, is_sound
        out.count += 1
    return 0


cdef object _place(const address *a):
    cdef char text[64]
    address_print(a, text)
    return text.decode(), ntohs(a.v4.sin_port)  # same place in v6


cdef object _at(uint64_t ns):
    return ns * 1e-9 if ns else None


cdef class Stream:
    """What comes in at one end: from whom, what it is, where it leaves; ``struct program`` in C.

    ``peer`` is the end where it leaves, ``generation`` which use of the pair this is; ends of different calls never
    meet. ``home`` is where the signalling comes from: on a NAT leg, the only host that can be learnt. Without ``rtp``
    nobody may send, and nothing is sent. ``next`` is the next end of the call, whose chain begins where ``watch`` says.
    Without ``conversion`` packets pass as they are; ``shield``: RTP is not in the clear, and keys are ours.
    """

    def __cinit__(self):
        self.next = NO_END
        self.terms, self.bundled = ANY_TERMS, ALONE

    def __init__(self, uint32_t peer, uint32_t call, uint32_t generation, str home, rtp=None):
        self.peer, self.call, self.generation, self.home = peer, call, generation, home
        if rtp is not None:
            self.rtp_host, self.rtp_port = rtp

    @property
    def rtp(self):
        """Where it is to go to, as signalled."""
        return (self.rtp_host, self.rtp_port) if self.rtp_host is not None and self.rtp_port else None

    @property
    def rtcp(self):
        """And its RTCP."""
        return (self.rtcp_host, self.rtcp_port) if self.rtcp_host is not None and self.rtcp_port else None


cdef class Engine:
    """A thread that relays between pairs of ports; start() before, stop() after everything else."""

    def __cinit__(self, uint32_t capacity, *, double tick=0.001, double sweep_interval=1.0):
        self._engine = engine_new(capacity, <uint64_t>(tick * 1e9), <uint64_t>(sweep_interval * 1e9))
        if self._engine == NULL:
            raise OSError(errno, os.strerror(errno))
        self._ready = <ready *>malloc(sizeof(ready))
        if self._ready == NULL:
            raise MemoryError
        for form, octets in enumerate(TABLES):
            memcpy(self._engine.octets[form], <const char *><bytes>octets, 256)

    def __dealloc__(self):
        free(self._ready)
        if self._engine != NULL:
            with nogil:
                engine_free(self._engine)

    @property
    def handed_fd(self):
        """Readable when next_handed() has something."""
        return self._engine.handed_fd

    @property
    def expiry_fd(self):
        """Readable when next_expiry() has something."""
        return self._engine.expiry_fd

    def send_raw(self):
        """Send through raw sockets, if there is the right to it: tells whether. Before start()."""
        engine_send_raw(self._engine)
        return self._engine.raws[0].fd >= 0

    def gather(self, gates, uint32_t first_port, uint32_t port_count):
        """Read what comes for open gates, in this memory, from a socket of each IP version: returns both. Before start().

        A descriptor of -1: there is none of that version.
        """
        cdef unsigned char[::1] view = gates
        if view.shape[0] < <Py_ssize_t>((port_count + 1) * sizeof(gate)):
            raise ValueError("too little memory for the gates")
        if engine_gather(self._engine, <gate *>&view[0], first_port, port_count) < 0:
            raise OSError(errno, os.strerror(errno))
        self._gates = gates
        return self._engine.gathering.fds[0], self._engine.gathering.fds[1]

    def schedule_realtime(self):
        """Have the thread scheduled in real time, if there is the right to it. Before start()."""
        self._engine.may_realtime = True

    @property
    def is_realtime(self):
        """Whether it is."""
        return bool(self._engine.is_realtime)

    def keep(self, copies not None):
        """Keep copies of what passes in a Capture, and let the kernel relay nothing; before start()."""
        self._capture = copies  # it stays as long as the thread may write there
        self._engine.capture = <capture *>PyCapsule_GetPointer(copies.share(), "switchroom.capture")

    def start(self):
        """Start the thread."""
        if engine_start(self._engine) < 0:
            raise OSError(errno, os.strerror(errno))

    def stop(self):
        """End the thread and close all sockets."""
        with nogil:
            engine_stop(self._engine)

    cdef int _push(self, const void *what) except -1:
        if (<const command *>what).index >= self._engine.capacity:
            raise IndexError((<const command *>what).index)
        while engine_push(self._engine, <const command *>what) < 0:
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

    cpdef release(self, uint32_t index):
        """An end's call is over: nothing passes until the next program()."""
        self._push_verb(RELEASE, index)

    cpdef watch(self, uint32_t index):
        """From now on silence of the chain that begins here is reported."""
        self._push_verb(WATCH, index)

    cpdef program(self, uint32_t index, Stream stream):
        """Tell an end whom to hear and where to send; latches start anew."""
        cdef command message
        cdef program *p = &message.program
        cdef tuple clocks, clock
        cdef int i
        p.peer, p.call, p.generation, p.next = stream.peer, stream.call, stream.generation, stream.next
        p.is_nat, p.is_mux = stream.is_nat, stream.is_mux
        p.carrier = p.rider = NO_END
        p.mid_id = p.mid_size = 0
        memset(p.declared, 0, sizeof(p.declared))
        memset(p.payloads, 0, sizeof(p.payloads))
        if stream.bundled is not ALONE:
            _bundle(stream.bundled, p)
        _, clocks, p.max_rate, p.is_counted, p.pins_ssrc, p.is_rtp, p.is_secured, p.has_others = _tuple_of(stream.terms)
        p.may_kernel = stream.may_kernel and p.is_rtp and not p.is_secured and not p.has_others
        p.traffic_class = stream.traffic_class
        self._check(index)
        if p.peer != <uint32_t>NO_END:
            self._check(p.peer)
        if p.carrier != <uint32_t>NO_END:
            self._check(p.carrier)
        if p.rider != <uint32_t>NO_END:
            self._check(p.rider)
        message.verb = PROGRAM
        message.index = index
        _parse_host(stream.home, 0, &p.home)
        _parse_beside(stream.rtp_host, stream.rtp_port, stream.home, &p.home, &p.signalled[<int>RTP])
        _parse_beside(stream.rtcp_host, stream.rtcp_port, stream.home, &p.home, &p.signalled[<int>RTCP])
        p.first_timeout = <uint64_t>(stream.first_timeout * 1e9)
        p.timeout = <uint64_t>(stream.timeout * 1e9)
        p.clock_count = min(len(clocks), <int>MAX_CLOCKS)
        for i in range(p.clock_count):
            clock = clocks[i]
            p.clocks[i].payload_type, p.clocks[i].rate = clock
        memset(&p.shield, 0, sizeof(p.shield))
        if stream.shield is not None:
            p.shield.is_on = True
            p.shield.has_dtls, p.shield.is_faced, ufrag, mark = _tuple_of(stream.shield)
            if ufrag:
                p.shield.has_ice = True
                memcpy(p.shield.ufrag, <const char *><bytes>ufrag, 8)
                memcpy(p.shield.mark, <const char *><bytes>mark, 4)
        memset(&p.recoding, 0, sizeof(p.recoding))
        message.converter = NULL
        if stream.conversion is not None:
            if isinstance(stream.conversion, Recoding):
                _recode(stream.conversion, &p.recoding)
            else:
                message.converter = _converter(stream.conversion)
        self._push(&message)

    def press(self, uint32_t index, uint32_t generation, key):
        """Let a key leave in place of the sound that comes in at an end: (number, type or None, rate, ms)."""
        cdef command message
        message.verb = PRESS
        message.index, message.generation = index, generation
        number, event, message.press.rate, message.press.ms = key
        message.press.number = number
        message.press.type = NO_PAYLOAD_TYPE if event is None else event
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

    cpdef read(self, uint32_t index, uint32_t generation):
        """Return the Counters of an end, or zeros when its pair serves another call by now."""
        cdef snapshot s
        if index >= self._engine.capacity:
            raise IndexError(index)
        engine_read(self._engine, index, generation, &s)
        dropped = NOTHING_DROPPED
        for i in range(1, <int>DROPS):
            if s.dropped[i]:
                dropped = tuple([s.dropped[j] for j in range(1, <int>DROPS)])
                break
        if dropped is NOTHING_DROPPED and not (s.packets or s.rtcp_packets or s.is_in_kernel):
            return NOTHING_CAME
        return Counters(
            s.packets, s.bytes, s.rtcp_packets, s.lost, s.jitter_ms, s.out_of_order, s.duplicates,
            s.last_at * 1e-9 if s.last_at else None,
            dropped,
            s.is_in_kernel,
        )

    cpdef read_detail(self, uint32_t index, uint32_t generation):
        """Return the Detail of an end, for reports and judgement."""
        cdef detail d
        if index >= self._engine.capacity:
            raise IndexError(index)
        engine_read_detail(self._engine, index, generation, &d)
        if not (
            d.ssrc or d.counted or d.rtcp_at or d.made.ssrc or d.made.packets or d.stranger.v4.sin_port
        ):
            return NOTHING_HEARD
        between = d.counted - d.runs.at
        return Detail(
            d.ssrc, d.payload_type, d.clock_rate, d.highest, d.expected, d.counted, d.jitter >> 4, d.timestamp,
            _at(d.last_at), _at(d.rtcp_at),
            Runs(  # and what goes on still: the last run, and what was received since
                d.runs.c11 + between, d.runs.c13 + (d.runs.lost > 1), d.runs.c14 + (d.runs.lost == 1),
                d.runs.c22, d.runs.c23, d.runs.c33,
            ),
            Heard(
                d.reports.sender_middle, _at(d.reports.sender_at), _at(d.reports.block_at),
                d.reports.round_trip * 1e-9 if d.reports.round_trip else None,
                d.reports.fraction_lost / 256, d.reports.lost, d.reports.r_factor or None, d.reports.mos or None,
            ),
            Made(d.made.ssrc, d.made.timestamp, _at(d.made.at), d.made.packets, d.made.octets),
            _place(&d.stranger) if d.stranger.v4.sin_port else None,
        )

    def report(self, uint32_t index, uint32_t generation, bytes data):
        """Send RTCP of ours to where an end's other side wants it, protected as its sound is."""
        cdef command message
        if index >= self._engine.capacity:
            raise IndexError(index)
        message.verb = REPORT
        message.index, message.generation = index, generation
        message.datagram = <datagram *>malloc(sizeof(datagram) + len(data) + PROTECTION_ROOM)
        if message.datagram == NULL:
            raise MemoryError
        message.datagram.size = len(data)
        memcpy(message.datagram.data, <const char *>data, len(data))
        self._push(&message)

    def read_totals(self):
        """Return the Totals of all ends."""
        cdef totals t
        engine_read_totals(self._engine, &t)
        return Totals(
            t.packets, t.bytes, t.wakes,
            tuple([t.dropped[i] for i in range(1, <int>DROPS)]),
            t.kernel_packets, t.kernel_streams, t.gathered,
        )

    def next_expiry(self):
        """Return (index, generation) of the head of a chain that fell silent, or None."""
        cdef expiry e
        if engine_next_expiry(self._engine, &e):
            return e.index, e.generation
        return None

    # -- what the kernel relays

    def share(self, memory):
        """Keep the kernel's streams in this memory, which has room for one of each end; before start()."""
        cdef unsigned char[::1] view = memory
        if view.shape[0] < <Py_ssize_t>(self._engine.capacity * sizeof(kernel_stream)):
            raise ValueError("too little memory for the streams")
        self._memory = memory
        self._engine.streams = <kernel_stream *>&view[0]

    def next_ready(self):
        """Return (index, generation, source, local, sender, target) of a direction for the kernel, or None."""
        cdef ready *r = self._ready
        if not engine_next_ready(self._engine, r):
            return None
        return r.index, r.generation, _place(&r.source), _place(&r.local), _place(&r.sender), _place(&r.target)

    def hand_over(self, uint32_t in_interface, uint32_t out_interface, uint32_t max_size, bytes next_hop):
        """Say which way the kernel may take for what next_ready() returned last; a size of 0: none."""
        cdef command message
        message.verb = HAND_OVER
        message.index = self._ready.index
        message.found = self._ready[0]
        message.way.in_interface, message.way.out_interface = in_interface, out_interface
        message.way.max_size = max_size
        memset(&message.way.next_hop, 0, sizeof(message.way.next_hop))
        message.way.next_hop.family = AF_INET6 if len(next_hop) == 16 else AF_INET
        memcpy(message.way.next_hop.host, <char *>next_hop, min(len(next_hop), 16))
        self._push(&message)

    def take_back(self, uint32_t index):
        """From the next packet on the engine relays a direction itself; later the kernel may have it again."""
        self._push_verb(TAKE_BACK, index)

    # -- secured ends

    cdef int _check(self, uint32_t index) except -1:
        if index >= self._engine.capacity:
            raise IndexError(index)
        return 0

    def secure(self, uint32_t index, uint32_t generation, inward not None, outward not None):
        """Give an end its keys: what opens packets that come in there, and what protects those that leave."""
        cdef command message
        self._check(index)
        message.verb = SECURE
        message.index, message.generation = index, generation
        message.protectors[<int>INWARD] = <protector *>PyCapsule_GetPointer(inward.hand_over(), "switchroom.protector")
        message.protectors[<int>OUTWARD] = <protector *>PyCapsule_GetPointer(outward.hand_over(), "switchroom.protector")
        self._push(&message)

    def face(self, uint32_t index, uint32_t generation, pair):
        """Tell an end where its leg is: nobody else is heard, and packets go there. None: nowhere."""
        cdef command message
        message.verb = FACE
        message.index, message.generation = index, generation
        _parse(pair, &message.address)
        self._push(&message)

    def send(self, uint32_t index, uint32_t generation, pair not None, bytes data not None):
        """Send a datagram of our own from an end's RTP port."""
        cdef command message
        self._check(index)
        message.verb = SEND
        message.index, message.generation = index, generation
        _parse(pair, &message.address)
        message.datagram = <datagram *>malloc(sizeof(datagram) + len(data))
        if message.datagram == NULL:
            raise MemoryError
        message.datagram.size = len(data)
        memcpy(message.datagram.data, <const char *>data, len(data))
        self._push(&message)

    def next_handed(self):
        """Return a datagram that is no sound, as Handed, or None."""
        cdef const handed *found = engine_next_handed(self._engine)
        if found == NULL:
            return None
        host, port = _place(&found.source)
        handed_up = Handed(found.index, found.generation, host, port, found.data[: found.size])
        engine_took_handed(self._engine)
        return handed_up
