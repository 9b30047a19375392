"""The media of one call: its legs, what they offered each other, and the relay between them; RFC 3264."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from switchroom.protocols import sdp
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError

from .leg import Agreement, LegState, MediaLeg, Offer
from .negotiate import Line
from .ports import NoPortsLeft, Pair
from .quality.observer import Watch
from .report import MediaReport, StreamReport, judge_sound, sum_up
from .said import Said, Wish, again, agree, extended, kept, octets_of, targets_of, told
from .security.keeping import export_channels, take_up_channels
from .sounding import let_go, renew_tap, watch_served
from .stream import ALONE, NO_END, Bundled, Stream, Terms
from .targets import is_hidden
from .transcoding import Names, Side

if TYPE_CHECKING:
    from .plane import MediaPlane

# Flags, the offer, the answer, the legs; as JSON has it, octets may be text
SessionState = tuple[int, bytes, bytes, LegState, LegState]
KeptState = SessionState | tuple[str]  # sealed
_FIRST_OFFERED, _FIRST_HOLDS, _SECOND_HOLDS = 1, 2, 4


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
            leg.bound, leg.host, leg.origin, leg.sent = other.bound, other.host, other.origin, other.sent
        leg.security.take_over(other.security)
        return leg

    def offer(self, source: MediaLeg, target: MediaLeg, data: bytes, codecs: Names = ()) -> bytes:
        """Return the offer of ``source`` as ``target`` may see it, which may use ``codecs`` (empty: all)."""
        said = source.hear_offer(data)
        sent = extended(said, codecs, self.plane.convertible(self))
        if self.is_confirmed:
            sent = self.plane.music.shown(self, source, sent)
        dress = target.security.make_offer(target, sent.description.media, source.security.is_secured())
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
        agreed = agree(offer.said, offer.sent, offer.lines, said, self.plane.converted)
        lines = [
            self._answered_line(offer, source, target, i, stream) for i, stream in enumerate(agreed.streams)
        ]
        dress = target.security.dress_answer(target)
        source.security.settle(source)
        target.security.settle(target)
        try:
            self._link(Agreement(target, source, kept(offer.said), kept(said), agreed), offer.said, said)
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
            self.plane.observer.begin(self)
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
                    self._link(agreement, again(agreement.offer), again(agreement.answer))
                    return

    def export(self, one: MediaLeg, two: MediaLeg) -> KeptState | None:
        """What to keep of two legs that hear each other, without a copy of anything.

        None: they do not, or one is secured in a way that ends with this process.
        """
        agreement = one.agreement
        if agreement is None or one.partner is not two or two.agreement is not agreement:
            return None
        flags = _FIRST_OFFERED if agreement.offerer is one else 0
        if one.is_holding:
            flags |= _FIRST_HOLDS
        if two.is_holding:
            flags |= _SECOND_HOLDS
        offer, answer = octets_of(agreement.offer), octets_of(agreement.answer)
        state = flags, offer, answer, one.export(), two.export()
        if one.security.is_secured() or two.security.is_secured():
            return self._sealed(state, one, two)
        return state

    def _sealed(self, state: SessionState, one: MediaLeg, two: MediaLeg) -> tuple[str] | None:
        """The same with keys, which only this switch can read. Of several lines they are not kept."""
        keeper = self.plane.guard.keeper
        keys = export_channels(one.security), export_channels(two.security)
        if keeper is None or len(one.pairs) > 1 or len(two.pairs) > 1:
            return None
        if None in keys:  # a handshake goes on
            keeper.wait_for(self)
            return None
        return (keeper.seal(self, (*state, *keys)),)

    def restore(self, state: KeptState) -> None:
        """Go on where a session of an earlier process was: the same ports, the same agreement.

        NoPortsLeft: somebody else has them now. What was learnt behind a NAT is learnt again.
        """
        opened: Sequence[Any] = state
        if len(state) == 1:
            if self.plane.guard.keeper is None:
                raise ValueError("there is no key for what was sealed")
            opened = self.plane.guard.keeper.open(state[0])
        flags, offer, answer, *legs = opened[:5]
        for toward, is_nat, bound, host, sent, ports in legs:
            leg = self.leg(toward, is_nat)
            leg.take_up(bound, host, _octets(sent))
            for port in ports:
                leg.pairs.append(self.plane.take_again(self, bound, port) if port else None)
        for leg, keys in zip(self.legs, opened[5:], strict=False):
            take_up_channels(leg.security, self.plane.guard, keys)
        one, two = self.legs
        offerer, answerer = (one, two) if flags & _FIRST_OFFERED else (two, one)
        offered, answered = offerer.hear(_octets(offer)), answerer.hear(_octets(answer))
        pairs = [answerer.pair_of(i) for i in range(len(offered.wishes))]
        lines = [Line(0 if pair is None else pair.port) for pair in pairs]
        shown = answerer.hear(answerer.sent) if answerer.sent else offered
        if len(shown.wishes) != len(lines):
            shown = offered  # what it saw since then was refused
        agreed = agree(offered, shown, lines, answered, self.plane.converted)
        agreement = Agreement(offerer, answerer, kept(offered), kept(answered), agreed)
        self._link(agreement, offered, answered)
        self.confirm()
        if flags & (_FIRST_HOLDS | _SECOND_HOLDS):  # whoever waits hears music again
            self._link(agreement, offered, answered)

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
        codecs: dict[str, None] = {}
        first = self.legs[0] if self.legs else None
        second = first.partner if first is not None else None
        for leg in self.legs if second is None else (first, second):
            if leg is None or leg.agreement is None:
                continue
            agreed = leg.agreement.agreed
            for i, stream in enumerate(agreed.streams):
                terms, side = agreed.terms[i], leg.agreement.side_of(leg, i)
                codec = "" if terms is None else terms.codec
                if side is not None:
                    codec = side.codec
                if codec:
                    codecs[codec] = None
                self._count(streams, leg, i, stream.answer.kind, codec)
        other = second.number if second is not None else 1
        judge_sound(streams)
        troubles = () if self.watch is None else self.watch.texts(self.plane.now())
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
            self.plane.observer.end(self)
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
        self, offer: Offer, source: MediaLeg, target: MediaLeg, i: int, stream: sdp.Stream
    ) -> Line:
        if stream.is_rejected or source.pair_of(i) is None:
            return Line()  # also when an earlier answer to the same offer gave this line up
        return Line(self.pair(target, i).port, offer.said.wishes[i].has_mux)

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
            needed = {i for i, stream in enumerate(leg.agreement.agreed.streams) if not stream.is_rejected}
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

    def _link(self, agreement: Agreement, offer: Said, answer: Said) -> None:
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
        for i, terms, one, two in reversed(linked):
            # Each end names the next: the chain is made from its tail
            offered, answered = offer.wishes[i], answer.wishes[i]
            is_mux = (offered.has_mux and answered.has_mux) or answerer.security.has_mux(i)
            side, place = agreement.side_of(answerer, i), twos.get(i, ALONE)
            stream = self.stream(answerer, answered, terms, two, one, following, is_mux, side, i, place)
            self._program(answerer, i, two, stream)
            side, place = agreement.side_of(offerer, i), ones.get(i, ALONE)
            is_mux = offered.has_mux
            stream = self.stream(offerer, offered, terms, one, two, two.index, is_mux, side, i, place)
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
        is_mux: bool,
        side: Side | None,
        line: int,
        bundled: Bundled = ALONE,
    ) -> Stream:
        """What the engine must know about the packets that one leg sends in one m-line."""
        if side is not None:
            terms = terms._replace(codec=side.codec, clocks=side.clocks)
        shield = leg.security.shield_of(line)
        if shield is not None:
            terms = terms._replace(pins_ssrc=False)  # what is authentic needs no guess
        is_relayed = side is None or not side.is_converted
        may_kernel = is_relayed and _is_plain(terms) and not self._is_shielded(line)
        rtp, rtcp = targets_of(wish, leg.toward, leg.bound)
        config = self.plane.config
        stream = (
            other.index,
            self.number,
            pair.generation,
            leg.toward,
            rtp,
            rtcp,
            following,
            config.first_rtp_timeout,
            config.rtp_timeout,
            leg.is_nat or (wish.host is not None and is_hidden(wish.host, leg.toward)),
            is_mux,
            terms,
            None if side is None else side.recoding or side.conversion,
            self.plane.kernel_class() if may_kernel else None,
            shield,
            bundled,
        )
        return tuple.__new__(Stream, stream)  # what Stream() does after a frame of Python

    def _is_shielded(self, line: int) -> bool:
        """Whether any leg has keys of ours there: then packets are touched."""
        for leg in self.legs:  # noqa: SIM110 - no generator where C is called
            if leg.security.shield_of(line) is not None:
                return True
        return False


def _is_plain(terms: Terms) -> bool:
    """Whether nothing but RTP passes, and that in the clear."""
    return terms.is_rtp and not terms.is_secured and not terms.has_others


def _octets(state: bytes | str) -> bytes:
    return state if isinstance(state, bytes) else state.encode("latin-1")
