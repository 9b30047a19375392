"""What the engine is told about one direction of one leg, and what it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from switchroom.codecs import Config

NO_END = 0xFFFFFFFF  # the engine's word for "none"
DROP_REASONS = (
    "malformed",
    "source",
    "ssrc",
    "rate",
    "unlinked",
    "unauthentic",
    "unsent",
)  # as in statistics.h


class Terms(NamedTuple):
    """What was agreed on for an m-line, whichever end sends."""

    codec: str = ""  # that the answer prefers; "" when there is none (T.38)
    clocks: tuple[tuple[int, int], ...] = ()  # payload type, clock rate: what jitter is measured in
    max_rate: int = 0  # packets a second; 0: any
    is_counted: bool = False  # silence means something: not on hold
    pins_ssrc: bool = False
    is_rtp: bool = True
    is_secured: bool = False  # SRTP: only the header can be looked at
    has_others: bool = False  # DTLS and STUN beside RTP


ANY_TERMS = Terms()


class Incoming(NamedTuple):
    """A payload type that may come in where sound is converted."""

    payload_type: int
    clock_rate: int  # Hz
    config: Config | None = None  # of the decoder; None: it is not decoded
    copied_as: int | None = None  # the payload type under which it leaves as it is
    is_event: bool = False  # telephone-event, RFC 4733
    is_noise: bool = False  # comfort noise, RFC 3389


class Conversion(NamedTuple):
    """What becomes of sound whose other end knows another codec; ``struct conversion`` in C."""

    incoming: tuple[Incoming, ...]
    payload_type: int
    config: Config  # of the encoder
    packet_ms: int
    event: tuple[int, int] | None = None  # payload type and clock rate of telephone-event; None: not taken
    noise: tuple[int, int] | None = None  # the same of comfort noise; None: it is made here


class Retyped(NamedTuple):
    """A payload type as it comes in and as it leaves."""

    payload_type: int
    leaves: int
    is_sound: bool  # of the form that becomes the other one


class Recoding(NamedTuple):
    """Sound of G.711 that leaves in its other form; ``struct recoding`` in C."""

    form: int  # that comes in: 0 µ-law, 1 A-law
    types: tuple[Retyped, ...]


class Keys(NamedTuple):
    """The master key of one direction; RFC 3711 §3.2.1. It is never shown."""

    suite: str  # as RFC 4568, 6188 and 7714 name it
    master: bytes  # key and salt
    mki: bytes = b""  # what stands in each packet to name it

    def __repr__(self) -> str:
        return f"Keys({self.suite})"


class Place(NamedTuple):
    """Where a source was; RFC 3711 §3.3.1."""

    ssrc: int
    roc: int
    sequence_number: int
    rtcp_index: int


class Shield(NamedTuple):
    """How a secured leg is guarded: SRTP, whose keys ``Engine.secure`` tells as soon as they are there."""

    has_dtls: bool = False  # handshakes are handed up
    is_faced: bool = False  # where it is is told by ``Engine.face``, not by its SDP
    ufrag: bytes = b""  # ours, of 8 octets: connectivity checks that name it are handed up (RFC 8445)
    mark: bytes = b""  # the first 4 octets of our transactions: so are their answers


class Bundled(NamedTuple):
    """The place of an end among those that share a transport; RFC 8843."""

    carrier: int = NO_END  # the end whose sockets, place and keys serve it; NO_END: its own
    rider: int = NO_END  # the next end that the carrier's serve
    payloads: int = 0  # bits of the payload types that are this end's
    sources: tuple[int, ...] = ()  # that it said it has, where others have the same payload types
    mid_id: int = 0  # of the header extension by which packets name their line; 0: they do not
    mid: bytes = b""  # the name of this one


ALONE = Bundled()


class Handed(NamedTuple):
    """A datagram that is no sound: the engine hands it up."""

    end: int  # its index
    generation: int
    host: str
    port: int
    data: bytes


class Captured(NamedTuple):
    """A packet that passed, in the clear."""

    at: float  # monotonic
    source: tuple[str, int]
    destination: tuple[str, int]
    data: bytes


NOTHING_DROPPED = (0,) * len(DROP_REASONS)


class Counters(NamedTuple):
    """What came in at one end since its call took it."""

    packets: int = 0
    size: int = 0
    rtcp_packets: int = 0
    lost: int = 0
    jitter_ms: float = 0.0
    out_of_order: int = 0
    duplicates: int = 0
    last_at: float | None = None  # monotonic
    dropped: tuple[int, ...] = NOTHING_DROPPED
    is_in_kernel: bool = False


NOTHING_CAME = Counters()


class Runs(NamedTuple):
    """Packets by what came before: 1 received in a gap, 2 in a burst, 3 lost in it, 4 alone; RFC 3611 A.2."""

    c11: int = 0
    c13: int = 0
    c14: int = 0
    c22: int = 0
    c23: int = 0
    c33: int = 0


class Heard(NamedTuple):
    """What the RTCP of an end said."""

    sender_middle: int = 0  # of the NTP time of its last sender report
    sender_at: float | None = None
    block_at: float | None = None  # when it last said how it receives
    round_trip: float | None = None  # seconds, from us to it and back
    fraction_lost: float = 0.0  # of what is sent to it
    lost: int = 0
    r_factor: int | None = None  # what it thinks of its sound; RFC 3611 §4.7
    mos: int | None = None  # in tenths


class Made(NamedTuple):
    """What the converted sound of an end leaves as."""

    ssrc: int = 0
    timestamp: int = 0
    at: float | None = None
    packets: int = 0
    octets: int = 0  # of payload


class Detail(NamedTuple):
    """What reports and judgements need to know of an end; times are monotonic."""

    ssrc: int = 0
    payload_type: int = 0
    clock_rate: int = 0
    highest: int = 0  # extended
    expected: int = 0
    counted: int = 0
    jitter: int = 0  # in timestamp units
    timestamp: int = 0
    last_at: float | None = None
    rtcp_at: float | None = None
    runs: Runs = Runs()
    heard: Heard = Heard()
    made: Made = Made()
    stranger: tuple[str, int] | None = None  # who was refused last


NOTHING_HEARD = Detail()


class Totals(NamedTuple):
    """What the engine did since its start."""

    packets: int  # that left
    size: int
    wakes: int
    dropped: tuple[int, ...]
    kernel_packets: int = 0  # of them, by the kernel, as far as they were counted yet
    kernel_streams: int = 0  # directions that it has now
    gathered: int = 0  # packets that were read from the socket of all ports
