"""One end of a call: its SIP session, its media, and where it leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from switchroom.protocols import sdp, sip
from switchroom.protocols.errors import RemoteProtocolError

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call
    from switchroom.switch.calls.hunting.attempt import Attempt
    from switchroom.switch.calls.hunting.dialling import Dialling
    from switchroom.switch.calls.rules import Caller
    from switchroom.switch.calls.trunks.trunk import Trunk
    from switchroom.switch.media.leg import MediaLeg
    from switchroom.switch.media.session import MediaSession

ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY, MESSAGE"
EXTENSIONS: tuple[str, ...] = (
    "100rel",
    "timer",
    "path",
    "outbound",
    "gruu",
    "replaces",
    "norefersub",
)  # that callers may require of us
SDP = "application/sdp"
RETRY_AFTER = (("Retry-After", "10"),)


class Mover(Protocol):
    """Wants a leg for another call."""

    def on_reinvite_answered(self, leg: Leg, response: sip.Response, now: float) -> None:
        """The leg took the re-INVITE: the ACK is owed."""

    def on_reinvite_rejected(self, leg: Leg, response: sip.Response | None, status: int, now: float) -> None:
        """The leg stays as it was."""

    def takes(self, leg: Leg) -> bool:
        """Whether the leg may be without its other end for a while, because it is to get another."""

    def lost(self, leg: Leg, now: float) -> None:
        """The leg's call is over."""


class Server(Protocol):
    """Is itself at the other end of a leg: an application."""

    def hear(self, leg: Leg, event: Any, now: float) -> bool:
        """What the leg's session tells; False: it is dealt with as for every leg."""


class Leg:
    """The owner's side of a session: ``a`` called us, each ``b`` is called by us."""

    __slots__ = (
        "account",
        "answer",
        "attempt",
        "call",
        "codecs",
        "dialling",
        "early_offer",
        "is_a",
        "is_failed",
        "media",
        "mover",
        "offer_txn",
        "owes_answer",
        "refer_count",
        "retry",
        "server",
        "session",
        "trunk",
    )

    def __init__(self, call: Call, media: MediaLeg, is_a: bool, account: str = "") -> None:
        self.call = call
        self.media = media
        self.is_a = is_a
        self.account = account  # the user's name or trunk:NAME; empty: a URI
        self.session: sip.Session
        self.dialling: Dialling | None = None  # that made it
        self.attempt: Attempt | None = None  # the destination that it belongs to there
        self.trunk: Trunk | None = None  # which counts this leg as one of its calls
        self.codecs: tuple[str, ...] = ()  # that it may use; empty: all
        self.is_failed = False
        self.owes_answer = False  # its 2xx brought an offer: our ACK waits for the other leg's
        self.answer = b""  # the SDP of this fork for the caller, once it came
        self.early_offer: sip.Response | None = None  # a reliable 18x with an offer: our PRACK has the answer
        self.offer_txn: sip.ServerTransaction | None = None  # its offer that waits for the other leg
        self.refer_count = 0  # of the REFERs that were accepted in its dialog
        self.mover: Mover | None = None  # has sent it a re-INVITE of its own, or is about to take it away
        self.server: Server | None = None
        self.retry: tuple[float, int] | None = (
            None  # a re-INVITE that met another: again when, how often so far
        )

    def part(self, now: float) -> None:
        """Its call is over, also for whoever was about to move it."""
        mover, self.mover = self.mover, None
        if mover is not None:
            mover.lost(self, now)
        self.forget()

    def forget(self) -> None:
        """It is gone: what its session still tells is for nobody, and nothing waits for the collector."""
        self.session.context = None
        self.dialling = self.attempt = self.server = None
        self.release()

    def release(self) -> None:
        """Its trunk has one call less; asking twice changes nothing."""
        trunk, self.trunk = self.trunk, None
        if trunk is not None:
            trunk.give_back()


def leg_of_caller(call: Call, event: sip.RequestReceived, caller: Caller, is_a: bool = True) -> Leg:
    """The leg of somebody who calls; ``Call.accept`` makes its session."""
    session, flow, trunk = call.media, event.flow, caller.trunk
    media = session.leg(flow.remote[0], leads_elsewhere(event.request, flow.remote))
    leg = Leg(call, media, is_a, caller.account)
    if trunk is not None:
        leg.codecs, media.security.policy = trunk.codecs, trunk.policy
    else:
        rules = call.exchange.config
        leg.codecs = rules.codecs_of(caller.account)
        media.security.policy = rules.policy_of(caller.account, flow.transport)
    return leg


def offered(media: MediaSession, source: Leg, target: Leg, offer: bytes) -> bytes:
    """The offer of one leg for another: what both may use, and what can be converted for the other."""
    if source.codecs:
        offer = bytes(sdp.limit_codecs(sdp.Description.parse(offer), source.codecs))
    return media.offer(source.media, target.media, offer, target.codecs)


def sdp_of(message: sip.Request | sip.Response) -> bytes:
    """The message's SDP, alone or as a part of its body, or nothing."""
    if not message.body:
        return b""
    if message.content_type == SDP:
        return message.body
    try:
        for part in sip.body_parts(message):
            if part.content_type == SDP:
                return part.body
    except RemoteProtocolError:
        pass
    return b""


def sdp_headers(body: bytes) -> tuple[tuple[str, str], ...]:
    """The header that a body needs."""
    return (("Content-Type", SDP),) if body else ()


def leads_elsewhere(message: sip.Request | sip.Response, source: tuple[str, int]) -> bool:
    """The Contact names another address than the packet came from: its sender sits behind a NAT."""
    host = message.contact_host()
    return host is None or host.strip("[]") != source[0]
