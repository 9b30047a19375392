"""What the engine is told about one direction of one leg, and what it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from switchroom.codecs import Config

    from ._sound import Line

NO_END = 0xFFFFFFFF  # the engine's word for "none"
DROP_REASONS = ("malformed", "source", "ssrc", "rate", "unlinked", "unsent")  # as in statistics.h


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


class Incoming(NamedTuple):
    """A payload type that may come in where sound is converted."""

    payload_type: int
    clock_rate: int  # Hz
    config: Config | None = None  # of the decoder; None: it is not decoded
    copied_as: int | None = None  # the payload type under which it leaves as it is
    is_event: bool = False  # telephone-event, RFC 4733


class Conversion(NamedTuple):
    """What becomes of sound whose other end knows another codec; ``struct conversion`` in C."""

    incoming: tuple[Incoming, ...]
    payload_type: int
    config: Config  # of the encoder
    packet_ms: int
    event: tuple[int, int] | None = None  # payload type and clock rate of telephone-event; None: not taken


class Stream(NamedTuple):
    """What comes in at one end: from whom, what it is, where it leaves; ``struct program`` in C."""

    peer: int  # the end where it leaves
    call: int  # ends of different calls never meet
    generation: int  # which use of the pair this is
    home: str  # where the signalling comes from: on a NAT leg, the only host that can be learnt
    rtp: tuple[str, int] | None = None  # as signalled; None: nobody may send, nothing is sent
    rtcp: tuple[str, int] | None = None
    next: int = NO_END  # the next end of the call; whose chain begins where ``watch`` says
    first_timeout: float = 0.0
    timeout: float = 0.0
    is_nat: bool = False
    is_mux: bool = False
    terms: Terms = Terms()
    conversion: Conversion | Line | None = None  # None: packets pass as they are
    kernel: int | None = None  # the kernel may relay it, with this traffic class; None: it may not


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
    dropped: tuple[int, ...] = (0,) * len(DROP_REASONS)
    is_in_kernel: bool = False


class Totals(NamedTuple):
    """What the engine did since its start."""

    packets: int  # that left
    size: int
    wakes: int
    dropped: tuple[int, ...]
    kernel_packets: int = 0  # of them, by the kernel, as far as they were counted yet
    kernel_streams: int = 0  # directions that it has now
