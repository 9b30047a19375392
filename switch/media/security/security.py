"""The protection of one leg: what its offers and answers say and mean; RFC 4568, 5763, 8839, 8843.

``hear_offer`` and ``hear_answer`` take what the leg said, ``make_offer`` and ``dress_answer`` say how it is
told something. Nothing is agreed before ``settle``: an offer that fails leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.srtp import Setup, answer_setup
from switchroom.protocols.stun import Candidate

from ..stream import Shield
from ..targets import target_host
from .bundle import are_alike, carriers, leads_of, payloads_of, sources_of, unused_id
from .channel import Channel, Mode
from .dressing import dress
from .heard import Heard
from .policy import DEFAULT, Policy
from .wanted import Wanted

if TYPE_CHECKING:
    from ..leg import MediaLeg
    from ..ports import Pair
    from .guard import Guard

_NONE: Mapping[int, Any] = MappingProxyType({})  # most legs are in the clear: they share it
_BEST_EFFORT = "RTP/AVP"
_BROWSER = "UDP/TLS/RTP/SAVPF"
_PROTOS = {Mode.CLEAR: "RTP/AVP", Mode.SDES: "RTP/SAVP", Mode.DTLS: "UDP/TLS/RTP/SAVP"}
_CLEAR = Mode.CLEAR
_IN_THE_CLEAR = Mode.CLEAR, _BEST_EFFORT


Dress = Callable[[sdp.Description], sdp.Description]


class Security:
    """Of one leg, by m-line."""

    __slots__ = (
        "_guard",
        "_mid_ids",
        "_mids",
        "_offered",
        "_payloads",
        "_pending",
        "_said",
        "_sources",
        "channels",
        "policy",
    )

    def __init__(self, guard: Guard) -> None:
        self.policy: Policy = DEFAULT
        self.channels: tuple[Channel | None, ...] = ()
        self._guard = guard
        self._pending: Sequence[Wanted] = ()  # what its lines are about to be
        self._offered: Sequence[Wanted] = ()  # by our last offer to it
        self._said: tuple[Heard, ...] = ()
        self._mids: Mapping[int, str] = _NONE  # by line, as agreed
        self._mid_ids: Mapping[int, int] = _NONE  # of lines whose packets name them
        self._payloads: Mapping[int, int] = _NONE
        self._sources: Mapping[int, tuple[int, ...]] = _NONE

    # -- the leg offers

    def hear_offer(self, heard: tuple[Heard, ...] | None, offer: sdp.Description, is_nat: bool) -> None:
        """Decide what its lines will be; 488 when the policy does not allow it."""
        if heard is None:
            self._hear_plain_offer(offer)
            return
        if heard == self._said and self._pending:
            return  # the same offer, for another fork
        self._pending = [
            self._wanted(i, one, line, is_nat=is_nat)._replace(
                lead=one.lead, payloads=payloads_of(line), sources=sources_of(line)
            )
            for i, (one, line) in enumerate(zip(heard, offer.media, strict=True))
        ]
        self._said = heard

    def _hear_plain_offer(self, offer: sdp.Description) -> None:
        if self.policy.srtp == "required":
            raise RemoteProtocolError("SRTP is required here, and the offer has none", status=488)
        self._pending = self._said = ()
        if self.channels:
            self._pending = [Wanted(Mode.CLEAR, _BEST_EFFORT)] * len(offer.media)

    @property
    def has_srtp(self) -> bool:
        """Whether keys are ours at all; else SRTP passes from end to end as it comes."""
        return self._guard.has_srtp

    def is_secured(self) -> bool:
        """Whether the leg's own offer, or what is agreed, has SRTP."""
        for one in self._pending:
            if one.mode is not _CLEAR:
                return True
        for channel in self.channels:  # noqa: SIM110 - no generator where C is called
            if channel is not None and channel.mode is not _CLEAR:
                return True
        return False

    def _wanted(self, i: int, heard: Heard, line: sdp.Media, *, is_nat: bool) -> Wanted:
        if line.is_rejected or not heard.is_rtp:
            return Wanted(Mode.CLEAR, heard.proto, heard=heard)
        if self.policy.srtp == "off" and not self.policy.is_browser:
            if heard.is_secured:
                raise RemoteProtocolError("SRTP is switched off here", status=488)
            return Wanted(Mode.CLEAR, heard.proto, heard=heard)
        channel = self.channel(i, heard.lead)
        if heard.fingerprints and heard.proto.upper() != "RTP/SAVP":
            must_wait = is_nat and heard.credentials is None
            setup = Setup.PASSIVE if must_wait and heard.setup == "actpass" else answer_setup(heard.setup)
            if channel.mode is Mode.DTLS and heard.setup == "actpass":
                setup = channel.setup
            credentials = channel.credentials(heard, is_controlling=heard.is_lite)
            return Wanted(Mode.DTLS, heard.proto, setup=setup, credentials=credentials, heard=heard)
        local = channel.answer_keys(heard) if heard.cryptos else None
        if local is not None:
            remote = next(one for one in heard.cryptos if one.tag == local.tag)
            return Wanted(Mode.SDES, heard.proto, local, remote, heard=heard)
        if heard.is_secured or self.policy.srtp == "required":
            raise RemoteProtocolError("no SRTP keys in the offer that can be used here", status=488)
        return Wanted(Mode.CLEAR, heard.proto, heard=heard)

    def dress_answer(self, leg: MediaLeg) -> Dress | None:
        """How our answer to its offer is written; None: as it is."""
        if not self._pending:
            return None
        return partial(dress, self, leg, pending=self._pending, is_answer=True)

    # -- the leg is offered something

    def make_offer(self, leg: MediaLeg, offer: sdp.Description, is_secured: bool) -> Dress | None:
        """Decide what it is offered; ``is_secured``: who offers has SRTP. None: plain RTP."""
        mode, proto = self._offered_mode(is_secured)
        self._said = self._pending = self._offered = ()
        if mode is _CLEAR and not self.channels:
            return None
        if not self._guard.has_srtp:
            if proto == _BEST_EFFORT:
                return None
            raise RemoteProtocolError(f"no SRTP: {self._guard.missing}", status=488)
        media = offer.media
        members = [i for i, line in enumerate(media) if line.is_rtp and not line.is_rejected]
        mid_id = unused_id(media)
        leads = leads_of(media, members, is_asked=mid_id != 0) if proto == _BROWSER else {}
        if not are_alike(media, leads):
            mid_id = 0
        offered = self._offered = [
            self._offer_line(i, line, mode, proto, leads.get(i), mid_id) for i, line in enumerate(media)
        ]
        return partial(dress, self, leg, pending=offered, is_answer=False)

    def _offered_mode(self, is_secured: bool) -> tuple[Mode, str]:
        policy = self.policy
        if policy.is_browser:
            return Mode.DTLS, _BROWSER
        if policy.srtp == "required":
            mode = Mode(policy.keying.upper())
            return mode, _PROTOS[mode]
        if policy.srtp == "off" or not (is_secured or policy.srtp == "offered"):
            return _IN_THE_CLEAR
        return Mode(policy.keying.upper()), _BEST_EFFORT

    def _offer_line(
        self, i: int, line: sdp.Media, mode: Mode, proto: str, lead: int | None, mid_id: int
    ) -> Wanted:
        channel = self.channels[i] if i < len(self.channels) else None
        if line.is_rejected or not line.is_rtp:
            return Wanted(Mode.CLEAR, line.proto)
        if channel is not None and channel.proto:  # it goes on as it is
            mode, proto = channel.mode, channel.proto
        if mode is Mode.CLEAR:
            return Wanted(mode, line.proto if proto == _BEST_EFFORT else proto)
        channel = self.channel(i, lead)
        if mode is Mode.SDES:
            channel.offer_keys()
            return Wanted(mode, proto)
        is_ice = self.policy.is_browser or channel.agent is not None
        credentials = channel.credentials(None, is_controlling=True) if is_ice else None
        return Wanted(
            mode,
            proto,
            setup=Setup.ACTPASS,
            credentials=credentials,
            lead=self._lead(i),
            payloads=payloads_of(line),
            mid_id=0 if lead is None else self._mid_ids.get(i, 0) or mid_id,
        )

    def hear_answer(self, heard: tuple[Heard, ...] | None, answer: sdp.Description) -> None:
        """Compare its answer with what it was offered; 488 when the keys are missing."""
        if heard is None:
            self._hear_plain_answer()
        else:
            self._hear_secured_answer(heard, answer.media)

    def _hear_secured_answer(self, heard: tuple[Heard, ...], media: Sequence[sdp.Media]) -> None:
        if not self._offered:
            if any(one.is_secured and line.port for one, line in zip(heard, media, strict=True)):
                raise RemoteProtocolError("SRTP in answer to an offer without", status=488)
            return
        if len(heard) != len(self._offered):
            return  # refused for that in any case
        pairs = zip(self._offered, heard, media, strict=True)
        self._pending = [self._answered(i, *pair) for i, pair in enumerate(pairs)]

    def _hear_plain_answer(self) -> None:
        for one in self._offered:
            if one.mode is not _CLEAR and one.proto != _BEST_EFFORT:
                raise RemoteProtocolError("SRTP was offered, and the answer has none", status=488)
        self._pending = [one._replace(mode=_CLEAR) for one in self._offered]

    def _answered(self, i: int, wanted: Wanted, heard: Heard, line: sdp.Media) -> Wanted:
        if line.is_rejected or wanted.mode is Mode.CLEAR:
            if heard.is_secured and not line.is_rejected:
                raise RemoteProtocolError("SRTP in answer to an offer without", status=488)
            return wanted._replace(mode=Mode.CLEAR, heard=heard)
        channel = self.channel(i)
        if wanted.mode is Mode.SDES:
            for remote in heard.cryptos:
                local = next((one for one in channel.offered if one[:2] == remote[:2]), None)
                if local is not None:
                    return wanted._replace(local=local, remote=remote, heard=heard)
        elif heard.fingerprints and (wanted.lead in (None, i) or channel.proto or heard.lead is not None):
            theirs = heard.setup if heard.setup in ("active", "passive") else "active"
            setup = Setup.PASSIVE if theirs == "active" else Setup.ACTIVE
            bits = wanted.payloads | payloads_of(line)
            return wanted._replace(setup=setup, heard=heard, payloads=bits, sources=sources_of(line))
        if wanted.proto == _BEST_EFFORT and not heard.is_secured:
            return wanted._replace(mode=Mode.CLEAR, heard=heard)
        raise RemoteProtocolError("no SRTP keys in the answer that fit the offer", status=488)

    # -- both have spoken

    def settle(self, leg: MediaLeg) -> None:
        """Offer and answer fit: this is what its lines are from now on."""
        if not self._pending:
            return
        now = self._guard.now()
        settled: set[int] = set()
        for i, wanted in enumerate(self._pending):
            channel = self.channels[i] if i < len(self.channels) else None
            self._remember(i, wanted)
            if wanted.mode is Mode.CLEAR and (channel is None or self._is_shared(channel)):
                continue
            if channel is None:
                channel = self.channel(i)
            if id(channel) in settled:
                continue  # of a bundle the first line says it all
            settled.add(id(channel))
            channel.proto = wanted.proto
            if wanted.mode is Mode.SDES and wanted.local is not None and wanted.remote is not None:
                channel.agree_keys(wanted.local, wanted.remote)
            elif wanted.mode is Mode.DTLS and wanted.heard is not None:
                is_client = wanted.setup is Setup.ACTIVE
                candidates = _reachable(leg, wanted.heard.candidates)
                channel.agree_handshake(wanted.heard, candidates, now, is_client=is_client)
            else:
                channel.agree_nothing()

    def _remember(self, i: int, wanted: Wanted) -> None:
        self._payloads = {**self._payloads, i: wanted.payloads}
        if wanted.sources or i in self._sources:
            self._sources = {**self._sources, i: wanted.sources}
        if wanted.heard is not None and wanted.heard.mid:
            self._mids = {**self._mids, i: wanted.heard.mid}
        if wanted.heard is not None and (wanted.heard.mid_id or i in self._mid_ids):
            self._mid_ids = {**self._mid_ids, i: wanted.heard.mid_id}

    def _is_shared(self, channel: Channel) -> bool:
        return sum(one is channel for one in self.channels) > 1

    def _lead(self, i: int) -> int | None:
        """The first line that shares a line's transport, if it is in a bundle at all."""
        channel = self.channels[i]
        if channel is None or not self._is_shared(channel):
            return None
        return next(j for j, one in enumerate(self.channels) if one is channel)

    def carriers(self, lines: Iterable[int]) -> dict[int, int]:
        """By line, which one's ports it uses; ``lines`` are those that are agreed."""
        return carriers(self.channels, lines)

    def is_bare(self) -> bool:
        """Whether no line of it has ever had keys, or shared a transport."""
        return not self.channels and not self._payloads

    def mid_of(self, i: int, wanted: Wanted) -> str | None:
        """What a line is called in descriptions."""
        return wanted.heard.mid if wanted.heard is not None else self._mids.get(i, str(i))

    def mid_id_of(self, i: int, wanted: Wanted) -> int:
        """The number of the header extension by which a line's packets are to name it; 0: none."""
        return wanted.mid_id if wanted.heard is None else wanted.heard.mid_id

    def name_of(self, line: int) -> tuple[int, str]:
        """How packets name a line, as agreed: that number, and its name; 0: they do not."""
        number = self._mid_ids.get(line, 0)
        return (number, self._mids.get(line, "")) if number else (0, "")

    def payloads_of(self, line: int) -> int:
        """The payload types of a line that is in a bundle, as bits."""
        return self._payloads.get(line, 0)

    def sources_of(self, line: int) -> tuple[int, ...]:
        """The sources that such a line has named."""
        return self._sources.get(line, ())

    def shield_of(self, line: int) -> Shield | None:
        """What the engine must know about a line; None: it is in the clear."""
        channel = self.channels[line] if line < len(self.channels) else None
        return None if channel is None else channel.shield

    def has_mux(self, line: int) -> bool:
        """Whether RTCP comes with RTP because it is a browser's line."""
        channel = self.channels[line] if line < len(self.channels) else None
        return channel is not None and channel.agent is not None

    def install(self, line: int, pair: Pair, target: tuple[str, int] | None, is_nat: bool) -> None:
        """The engine was told what was agreed: now it gets the keys, or the handshake begins."""
        channel = self.channels[line] if line < len(self.channels) else None
        if channel is not None:
            self._guard.install(channel, pair, None if is_nat else target)

    def uninstall(self) -> None:
        """The engine has let go of its lines."""
        for channel in self.channels:
            if channel is not None:
                channel.is_installed = False

    def mid_at(self, line: int) -> str:
        """What a line is called in the descriptions of its leg, as agreed; "": it has no name."""
        return self._mids.get(line, "")

    def take_up(self, lines: Sequence[tuple[str, Channel] | None]) -> None:
        """Go on where a leg of an earlier process was: names and protection of its lines."""
        self.channels = tuple([None if one is None else one[1] for one in lines])
        self._mids = {i: one[0] for i, one in enumerate(lines) if one is not None and one[0]}

    def take_over(self, other: Security) -> None:
        """Go on where a leg of another session was, in the same dialog."""
        self.policy = other.policy
        moved = {id(channel): channel.moved() for channel in other.channels if channel is not None}
        self.channels = tuple([None if channel is None else moved[id(channel)] for channel in other.channels])
        self._mids, self._payloads, self._sources = other._mids, other._payloads, other._sources
        self._mid_ids = other._mid_ids

    def describe(self, line: int) -> str:
        """How a line is protected, "" when it is not."""
        channel = self.channels[line] if line < len(self.channels) else None
        return "" if channel is None else str(channel)

    # -- descriptions

    def channel(self, i: int, lead: int | None = None) -> Channel:
        """The channel of a line; one that has none yet, or none that is agreed, shares that of ``lead``."""
        channel = known = self.channels[i] if i < len(self.channels) else None
        if lead is not None and lead != i and (channel is None or not channel.proto):
            channel = self.channel(lead)
        if channel is None:
            channel = self._guard.channel()
        if channel is not known:
            channels = [*self.channels, *[None] * (i + 1 - len(self.channels))]
            channels[i] = channel
            self.channels = tuple(channels)
        return channel


def _reachable(leg: MediaLeg, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Nobody makes us send into our own network; see ``targets``."""
    hosts = [(one, target_host(one.host, leg.toward, leg.bound)) for one in candidates]
    return tuple([one._replace(host=host) for one, host in hosts if host is not None])
