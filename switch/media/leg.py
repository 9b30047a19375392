"""One leg of a session, and what it was offered and agreed to; RFC 3264."""

from __future__ import annotations

from random import getrandbits
from typing import TYPE_CHECKING

from switchroom.protocols import sdp

from .negotiate import Line, Opening
from .packing import swapped
from .ports import Pair
from .said import Agreed, Kept, Said, again, parse, undressed, written
from .security import Guard
from .security.security import Dress, Security
from .serving import Served
from .stream import NO_END, Bundled
from .targets import family_of, plain_host
from .transcoding import Side

if TYPE_CHECKING:
    from ._sound import Station
    from .holding import Waiting

# toward, is_nat, bound, host, sent, ports by m-line; as JSON has it, octets may be text
LegState = tuple[str, bool, str, str, bytes, tuple[int, ...]]

_NO_BUNDLES: dict[int, Bundled] = {}


class Offer:
    """An offer on its way: as it came from ``by``, and as it was sent on, with which lines."""

    __slots__ = ("answer", "by", "lines", "rewritten", "said", "sent")

    def __init__(self, by: MediaLeg, said: Said, sent: Said, lines: list[Line]) -> None:
        self.by = by
        self.said = said
        self.sent = sent
        self.lines = lines
        self.answer = b""  # the last answer, and what was made of it
        self.rewritten = b""


class Agreement:
    """An offer and its answer, both as they came in, and what came of them."""

    __slots__ = ("agreed", "answer", "answerer", "offer", "offerer")

    def __init__(
        self, offerer: MediaLeg, answerer: MediaLeg, offer: Kept, answer: Kept, agreed: Agreed
    ) -> None:
        self.offerer = offerer
        self.answerer = answerer
        self.offer = offer
        self.answer = answer
        self.agreed = agreed

    def side_of(self, leg: MediaLeg, line: int) -> Side | None:
        """What becomes of the sound of one of the two; None: it passes as it is."""
        decided = self.agreed.plans[line] if self.agreed.has_plans else None
        if decided is None:
            return None
        return decided.offerer if leg is self.offerer else decided.answerer

    def linked(self) -> list[int]:
        """The m-lines that connect two pairs of ports."""
        found = []
        for i, terms in enumerate(self.agreed.terms):
            one, two = self.offerer.pair_of(i), self.answerer.pair_of(i)
            if terms is not None and one is not None and two is not None:
                found.append(i)
        return found


class MediaLeg:
    """Our side of one dialog: the address and ports that its other end sends to."""

    __slots__ = (
        "agreement",
        "bound",
        "host",
        "inner",
        "is_entered",
        "is_holding",
        "is_nat",
        "number",
        "offer",
        "opening",
        "pairs",
        "partner",
        "proposed",
        "security",
        "sent",
        "served",
        "station",
        "toward",
        "waiting",
    )

    def __init__(self, number: int, toward: str, guard: Guard, is_nat: bool) -> None:
        self.number = number
        self.toward = plain_host(toward) if ":" in toward else toward  # where its signalling comes from
        self.is_nat = is_nat
        self.bound = ""  # the address that our sockets are bound to
        self.host = ""  # the address that we say
        self.opening: Opening
        self.pairs: list[Pair | None] = []  # by m-line
        self.offer: Offer | None = None  # the last one that was sent to it
        self.agreement: Agreement | None = None
        self.partner: MediaLeg | None = None  # whom it hears
        self.sent = b""  # our last description
        # Where the switch itself is at the other end: what was agreed, its side, our open offer
        self.served: Served | None = None
        self.station: Station | None = None
        self.inner: MediaLeg | None = None
        self.proposed: Said | None = None
        # Hold: whether its other end does not listen any more, and what stands for its partner meanwhile
        self.is_holding = False
        self.waiting: Waiting | None = None
        self.is_entered = False  # somebody speaks into its call: entering.py
        self.security = Security(guard)

    def is_ours(self) -> bool:
        """Whether anything of the switch itself is at its other end, or hears it."""
        return (
            self.station is not None
            or self.served is not None
            or self.waiting is not None
            or self.inner is not None
            or self.proposed is not None
        )

    def take_origin(self, bound: str, host: str) -> None:
        """Find our own name for the session, which tells nothing about the other leg; RFC 8866 §5.2."""
        self.bound, self.host = bound, host
        family = family_of(host) if ":" in host else "IP4"
        self.opening = Opening(("-", getrandbits(62), 1, family, host), host)

    def export(self) -> LegState:
        """What to keep of it, so that a later process can go on."""
        ports = []
        for pair in self.pairs:
            ports.append(0 if pair is None else pair.port)
        return self.toward, self.is_nat, self.bound, self.host, self.sent, tuple(ports)

    def take_up(self, bound: str, host: str, sent: bytes) -> None:
        """Go on where a leg of an earlier process was."""
        if sent:
            self.bound, self.host, self.sent = bound, host, sent
            username, number, version, family, own = sdp.Description.parse(sent).origin
            self.opening = Opening((username, number, version, family, own), host)
        else:
            self.take_origin(bound, host)

    def pair_of(self, line: int) -> Pair | None:
        """Return the ports of an m-line, or None."""
        return self.pairs[line] if line < len(self.pairs) else None

    def bundled(self, lines: list[int]) -> dict[int, Bundled]:
        """The places of its agreed lines on the transports that they share; what is not in it is alone."""
        if self.security.is_bare():
            return _NO_BUNDLES
        carriers = self.security.carriers(lines)
        found: dict[int, Bundled] = {}
        riders: dict[int, int] = {}  # by carrier: the end that comes next, from the last one on
        for i in reversed(lines):
            carrier, pair = self.pair_of(carriers[i]), self.pair_of(i)
            assert carrier is not None
            assert pair is not None
            end = NO_END if carrier is pair else carrier.index
            rider, security = riders.get(carriers[i], NO_END), self.security
            mid_id, mid = security.name_of(i)
            found[i] = Bundled(
                end, rider, security.payloads_of(i), security.sources_of(i), mid_id, mid.encode()
            )
            riders[carriers[i]] = pair.index
        return found

    @property
    def described(self) -> bytes:
        """What its other end said last, without a hold that the opposite leg asked for; b"": nothing yet."""
        if self.agreement is None:
            return b""
        offer, answer = self.agreement.offer, self.agreement.answer
        if self.agreement.offerer is self:
            return written(again(offer))
        data = written(again(answer))
        description = again(offer).description
        if all(_asks_for_all(description, stream) for stream in self.agreement.agreed.streams):
            return data
        whole = sdp.Description.parse(data)
        return bytes(sdp.make_reoffer(whole, sdp.Direction.SENDRECV))

    def hear(self, data: bytes) -> Said:
        """Read what it said, as if it spoke plain RTP."""
        said = parse(swapped(data) if self.security.policy.is_swapped else data)
        return undressed(said, self.toward, self.security) if said.body is None else said

    def hear_offer(self, data: bytes) -> Said:
        """Read its offer; 488 when it is less secure than it has to be."""
        said = self.hear(data)
        self.security.hear_offer(said.heard, said.description, self.is_nat)
        return said

    def hear_answer(self, data: bytes) -> Said:
        """Read its answer; 488 when its keys do not fit what it was offered."""
        said = self.hear(data)
        self.security.hear_answer(said.heard, said.description)
        return said

    def write(self, said: Said, lines: list[Line], dress: Dress | None) -> bytes:
        """Return what the other leg said, as ours; the version counts its changes (RFC 3264 §8)."""
        data = said.write(self.opening, lines, dress)
        if self.sent and data != self.sent:
            self.opening = self.opening.next()
            data = said.write(self.opening, lines, dress)
        self.sent = data
        return swapped(data) if self.security.policy.is_swapped else data


def _asks_for_all(offer: sdp.Description, stream: sdp.Stream) -> bool:
    """Whether an m-line was offered both ways, so that a hold in the answer is the answerer's own."""
    connection = offer.connection_of(stream.offer)
    if connection is not None and connection.is_null:
        return False
    return offer.direction_of(stream.offer) is sdp.Direction.SENDRECV
