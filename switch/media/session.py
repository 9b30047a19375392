"""The media of one call: its legs, what they offered each other, and the relay between them; RFC 3264."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError

from ._engine import Stream
from .leg import Agreement, MediaLeg, Offer
from .negotiate import Line
from .ports import NoPortsLeft, Pair
from .quality.observer import Watch
from .report import MediaReport, StreamReport, judge_sound, sum_up
from .said import Said, Wish, again, agree, aim, extended, kept, told
from .sounding import let_go, renew_tap, watch_served
from .stream import ALONE, NO_END, Terms
from .transcoding import Names, Side

if TYPE_CHECKING:
    from .plane import MediaPlane


class MediaSession:
    """Legs, and what passes between them. The owner's verbs follow offer and answer, whoever makes which."""

    __slots__ = (
        *("_past", "_report", "_watched"),
        *("context", "is_confirmed", "key", "legs", "number", "plane", "watch"),
    )

    def __init__(self, plane: MediaPlane, key: str, number: int) -> None:
        self.key = key
        self.number = number
        self.context: object = None
        self.legs: list[MediaLeg] = []
        self.is_confirmed = False
        self.watch: Watch | None = None  # what the observer remembers
        self.plane = plane
        self._past: Sequence[StreamReport] = ()  # of m-lines that ended before the call
        self._watched = NO_END  # where the chain begins
        self._report: MediaReport | None = None

    def leg(self, toward: str, is_nat: bool) -> MediaLeg:
        """A new leg; ``toward`` is the source address of its signalling."""
        leg = MediaLeg(len(self.legs), toward, self.plane.guard, is_nat)
        self.legs.append(leg)
        return leg

    def adopt(self, other: MediaLeg) -> MediaLeg:
        """A leg in place of another session's, in the same dialog: its origin goes on (RFC 3264 §8)."""
        leg = self.leg(other.toward, other.is_nat)
        if other.host:
            leg.bound, leg.host, leg.opening, leg.sent = other.bound, other.host, other.opening, other.sent
        leg.security.take_over(other.security)
        return leg

    def offer(self, source: MediaLeg, target: MediaLeg, data: bytes, codecs: Names = ()) -> bytes:
        """Return the offer of ``source`` as ``target`` may see it, which may use ``codecs`` (empty: all)."""
        said = source.hear_offer(data)
        sent = extended(said, codecs, self.plane.convertible(self))
        if self.is_confirmed:
            sent = self.plane.music.shown(self, source, sent)
        dress = target.security.make_offer(target, sent.description, source.security.is_secured())
        try:
            lines = [self._offered_line(source, target, i, wish) for i, wish in enumerate(sent.wishes)]
            self.resolve(target)
        except NoPortsLeft:
            self.prune(source)
            self.prune(target)
            raise
        target.offer = Offer(source, said, sent, lines)
        return target.write(sent, lines, dress)

    def answer(self, source: MediaLeg, target: MediaLeg, data: bytes) -> bytes:
        """Return the answer of ``source`` as ``target`` may see it; from now on media flows between them."""
        offer = source.offer
        if offer is None or offer.by is not target:
            raise LocalProtocolError("an answer without an offer")
        if offer.answer == data and target.partner is source:
            return offer.rewritten  # a 200 that repeats its 183: nothing changes
        said = source.hear_answer(data)
        agreed = agree(offer.said, offer.sent, offer.lines, said, self.plane.rules.converted)
        lines = [
            self._answered_line(offer, source, target, i, is_taken)
            for i, is_taken in enumerate(agreed.are_taken)
        ]
        dress = target.security.dress_answer(target)
        source.security.settle(source)
        target.security.settle(target)
        try:
            self.link(Agreement(target, source, kept(offer.said), kept(said), agreed), offer.said, said)
        except ValueError as error:  # a codec's library gives out, or its settings do not go together
            raise RemoteProtocolError(str(error), status=488) from error
        offer.answer = data
        shown = told(said, agreed)
        if self.is_confirmed:
            shown = self.plane.music.told(offer.said, shown)
        offer.rewritten = target.write(shown, lines, dress)
        if 0 in [line.port for line in lines]:  # refused
            self.prune(source)
            self.prune(target)
        if self.is_confirmed:
            source.offer = None  # only before that an answer may come again, or another one
        return offer.rewritten

    def reject(self, source: MediaLeg, target: MediaLeg) -> None:
        """The offer of ``source`` failed; what was agreed before stays."""
        if target.offer is not None and target.offer.by is source and not target.offer.answer:
            target.offer = None
            self.prune(source)
            self.prune(target)

    def confirm(self) -> None:
        """The call is answered: from now on its silence counts."""
        if not self.is_confirmed:
            self.is_confirmed = True
            for leg in self.legs:
                if leg.offer is not None and leg.offer.answer:
                    leg.offer = None
            self.watch = self.plane.observer.begin(self, self.number)
            if self._watched != NO_END:
                self.plane.engine.watch(self._watched)
            for leg in self.legs:
                if leg.served is not None:
                    watch_served(self, leg)

    def drop(self, leg: MediaLeg) -> None:
        """A fork lost: its ports go back, and whom it talked to hears the one that is left."""
        partner = leg.partner
        self.unlink(leg)
        if leg.is_ours():
            let_go(leg)
        leg.agreement = leg.offer = None
        for other in self.legs:
            if other.offer is not None and other.offer.by is leg:
                other.offer = None
        self.prune(leg)
        if partner is not None:
            for other in self.legs:
                agreement = other.agreement
                if agreement is None or other is partner:
                    continue
                if agreement.offerer is partner or agreement.answerer is partner:
                    self.link(agreement, again(agreement.offer), again(agreement.answer))
                    return

    @property
    def secured(self) -> list[str]:
        """How the sound of the first leg and of its partner is protected."""
        first = self.legs[0] if self.legs else None
        other = None if first is None else first.partner
        return ["no" if leg is None else leg.security.describe(0) or "no" for leg in (first, other)]

    def report(self) -> MediaReport:
        """Count what passed until now."""
        if self._report is not None:
            return self._report
        streams = list(self._past)
        codecs: list[str] = []
        first = self.legs[0] if self.legs else None
        second = first.partner if first is not None else None
        for leg in self.legs if second is None else (first, second):
            if leg is None or leg.agreement is None:
                continue
            agreed = leg.agreement.agreed
            for i, codec in enumerate(agreed.codecs):
                side = leg.agreement.side_of(leg, i)
                if side is not None:
                    codec = side.codec
                if codec and codec not in codecs:
                    codecs.append(codec)
                self._count(streams, leg, i, agreed.kinds[i], codec)
        other = second.number if second is not None else 1
        judge_sound(streams)
        watch = self.watch
        troubles = () if watch is None or watch.is_quiet() else watch.texts(self.plane.now())
        return MediaReport(
            tuple(codecs), sum_up(streams, 0), sum_up(streams, other), tuple(streams), troubles
        )

    def has_pair(self, index: int, generation: int) -> bool:
        """Whether this use of a pair of ports is the session's."""
        pairs = [pair for leg in self.legs for pair in leg.pairs if pair is not None]
        return any(pair.index == index and pair.generation == generation for pair in pairs)

    def close(self) -> MediaReport:
        """The call is over: count, and give the ports back."""
        report = self.report()
        if self._report is None:
            self._report = report
            self.plane.observer.end(self, self.number, self.watch)
            for leg in self.legs:
                if leg.is_ours():
                    let_go(leg)
                leg.partner = leg.agreement = leg.offer = None
                for pair in leg.pairs:
                    if pair is not None:
                        self.plane.give_back(pair)
                leg.pairs = []
            self.plane.forget(self)
        return report

    # -- lines and ports

    def _offered_line(self, source: MediaLeg, target: MediaLeg, i: int, wish: Wish) -> Line:
        if not wish.can_be_relayed:
            return Line()
        self.pair(source, i)  # now, so that the answer cannot fail for want of it
        return Line(self.pair(target, i).port, wish.has_mux)

    def _answered_line(
        self, offer: Offer, source: MediaLeg, target: MediaLeg, i: int, is_taken: bool
    ) -> Line:
        if not is_taken or source.pair_of(i) is None:
            return Line()  # also when an earlier answer to the same offer gave this line up
        wish = offer.said.wishes[i]
        return Line(self.pair(target, i).port, wish.has_mux)

    def pair(self, leg: MediaLeg, i: int) -> Pair:
        while len(leg.pairs) <= i:
            leg.pairs.append(None)
        pair = leg.pairs[i]
        if pair is None:
            self.resolve(leg)
            pair = leg.pairs[i] = self.plane.take(self, leg.bound)
        return pair

    def resolve(self, leg: MediaLeg) -> None:
        if not leg.host:
            bound, host = self.plane.hosts_for(leg.toward)
            leg.take_origin(bound, host)

    def prune(self, leg: MediaLeg) -> None:
        """Give back the ports that neither an agreement nor an open offer needs."""
        needed: set[int] = set()
        if leg.agreement is not None:
            needed = {i for i, is_taken in enumerate(leg.agreement.agreed.are_taken) if is_taken}
        for other in self.legs:
            offer = other.offer
            if offer is not None and not offer.answer and (other is leg or offer.by is leg):
                needed |= {i for i, line in enumerate(offer.lines) if line.port}
        for i, pair in enumerate(leg.pairs):
            if pair is not None and i not in needed:
                past = list(self._past)
                self._count(past, leg, i, "", "")
                self._past = past
                leg.pairs[i] = None
                self.plane.give_back(pair)

    def _count(self, streams: list[StreamReport], leg: MediaLeg, i: int, kind: str, codec: str) -> None:
        pair = leg.pair_of(i)
        if pair is not None:
            engine, security = self.plane.engine, leg.security.describe(i)
            counters = engine.read(pair.index, pair.generation)
            detail = engine.read_detail(pair.index, pair.generation)
            streams.append(StreamReport(leg.number, i, kind, codec, counters, security, detail))

    # -- the relay

    def link(self, agreement: Agreement, offer: Said, answer: Said) -> None:
        offerer, answerer = agreement.offerer, agreement.answerer
        if offerer.partner is not answerer:
            self.unlink(offerer)
            self.unlink(answerer)
            offerer.partner, answerer.partner = answerer, offerer
        offerer.agreement = answerer.agreement = agreement
        offerer.served = answerer.served = None
        self.plane.note_conversion(self, agreement.agreed.is_converted)
        if self.is_confirmed:
            self.plane.music.attend(self, agreement, offer, answer)
        following = NO_END
        linked = agreement.linked()
        ones, twos = offerer.bundled(linked), answerer.bundled(linked)
        for i in reversed(linked):  # each end names the next: the chain is made from its tail
            one, two = offerer.pairs[i], answerer.pairs[i]
            offered, answered, terms = offer.wishes[i], answer.wishes[i], agreement.agreed.terms[i]
            assert terms is not None
            assert one is not None
            assert two is not None
            side = agreement.side_of(answerer, i)
            stream = self.stream(answerer, answered, terms, two, one, following, side, i)
            stream.is_mux = (offered.has_mux and answered.has_mux) or answerer.security.has_mux(i)
            if twos:
                stream.bundled = twos.get(i, ALONE)
            self._program(answerer, i, two, stream)
            side = agreement.side_of(offerer, i)
            stream = self.stream(offerer, offered, terms, one, two, two.index, side, i)
            stream.is_mux = offered.has_mux
            if ones:
                stream.bundled = ones.get(i, ALONE)
            self._program(offerer, i, one, stream)
            following = one.index
        for leg in (offerer, answerer):
            if leg.station is not None:
                renew_tap(self, leg)
        self._watched = following
        if self.is_confirmed and following != NO_END:
            self.plane.engine.watch(following)

    def _program(self, leg: MediaLeg, i: int, pair: Pair, stream: Stream) -> None:
        """Tell the engine what comes in at one end, and then its keys."""
        if leg.waiting is None and not leg.is_entered:
            self.plane.engine.program(pair.index, stream)
        else:
            self.plane.engine.program(pair.index, self.plane.music.instead(leg, i, pair, stream))
        if leg.security.channels and stream.bundled.carrier == NO_END:
            leg.security.install(i, pair, stream.rtp, leg.is_nat)

    def unlink(self, leg: MediaLeg) -> None:
        partner = leg.partner
        if partner is None:
            return
        leg.partner = partner.partner = None
        self._watched = NO_END
        leg.security.uninstall()
        partner.security.uninstall()
        for pair in leg.pairs + partner.pairs:
            if pair is not None:
                self.plane.engine.release(pair.index)

    def stream(
        self,
        leg: MediaLeg,
        wish: Wish,
        terms: Terms,
        pair: Pair,
        other: Pair,
        following: int,
        side: Side | None,
        line: int,
    ) -> Stream:
        """What the engine must know about the packets that one leg sends in one m-line."""
        rules, stream = self.plane.rules, Stream.__new__(Stream)
        stream.peer, stream.next = other.index, following
        stream.call, stream.generation = self.number, pair.generation
        stream.home, stream.is_nat = leg.toward, leg.is_nat
        aim(stream, wish, leg.toward, leg.bound)
        stream.first_timeout, stream.timeout = rules.first_rtp_timeout, rules.rtp_timeout
        stream.traffic_class = rules.traffic_class
        if side is not None:
            terms = terms._replace(codec=side.codec, clocks=side.clocks)
            stream.conversion = side.recoding or side.conversion
        stream.shield = leg.security.shield_of(line)
        if stream.shield is not None:
            terms = terms._replace(pins_ssrc=False)  # what is authentic needs no guess
        stream.terms = terms
        if self.plane.kernel is not None and (side is None or not side.is_converted):
            stream.may_kernel = not self._is_shielded(line)
        return stream

    def _is_shielded(self, line: int) -> bool:
        """Whether any leg has keys of ours there: then packets are touched."""
        for leg in self.legs:  # noqa: SIM110 - no generator where C is called
            if leg.security.shield_of(line) is not None:
                return True
        return False
