"""One leg whose other side is a program: what its phone asks for in its session, and how long it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.switch.calls import bridge
from switchroom.switch.calls.keys import key_of_info
from switchroom.switch.calls.leg import RETRY_AFTER, sdp_headers, sdp_of
from switchroom.switch.media import NoPortsLeft, sounding

from .gathering import Keypad
from .referring import take, target_of

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.calls.features.referral import Referral
    from switchroom.switch.calls.leg import Leg as SipLeg
    from switchroom.switch.media._sound import Station

    from .house import House
    from .party import Party
    from .referring import Referring

_RATE = 8000  # of what is played before the codec is known


class CallEnded(Exception):  # noqa: N818 - an end is no error
    """The call, or the leg that something was asked of, is over: the program need not go on."""


class Seat:
    """The Server of a leg: answers what comes in its dialog."""

    def __init__(self, house: House, call: SipCall, leg: SipLeg) -> None:
        self._house = house
        self._call = call
        self._leg = leg
        self._keypad = Keypad()
        self._pending: set[asyncio.Future[Any]] = set()  # that the end breaks off
        self._on_key: Callable[[str], object] | None = None  # who listens now
        self._partner: Party | None = None
        self._on_refer: Callable[[str], object] | None = None  # who does what its phone asks for
        self._referral: Referral | None = None
        self.referring: Referring | None = None  # it was asked to call somebody else
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._station = sounding.station_of(call.media, leg.media, self._on_sound)
        leg.server = self

    # -- what it is

    @property
    def account(self) -> str:
        """The user's name or trunk:NAME; empty: a URI."""
        return self._leg.account

    @property
    def call_id(self) -> str:
        """Of the call that it is a part of."""
        return self._call.id

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be asked of it."""
        return self.ended.done()

    @property
    def house(self) -> House:
        """What its program needs of the switch."""
        return self._house

    @property
    def sip_leg(self) -> SipLeg:
        """The leg itself."""
        return self._leg

    @property
    def codec(self) -> str:
        """What is spoken; empty: nothing is agreed on yet."""
        served = self._leg.media.served
        return "" if served is None else served.codec

    @property
    def station(self) -> Station:
        """Our side of its sound, for those who want more than the verbs."""
        self._check()
        return self._station

    @property
    def rate(self) -> int:
        """Samples a second of what is spoken."""
        served = self._leg.media.served
        return _RATE if served is None else served.terms.rate

    def _check(self) -> None:
        if self.is_over:
            raise CallEnded(self.ended.result())

    def hear_refer(self, told: Callable[[str], object] | None) -> None:
        """Have the target told when its phone sends its partner elsewhere; None: that is refused."""
        self._on_refer = told

    # -- waiting

    def _future(self) -> asyncio.Future[Any]:
        self._check()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    async def _wait(self, future: asyncio.Future[Any]) -> Any:
        """Wait for something, but not beyond the end."""
        await asyncio.wait({future, self.ended}, return_when="FIRST_COMPLETED")
        if not future.done():
            future.cancel()
            self._check()
        if future.cancelled():
            self._check()
        return future.result()

    async def wait(self) -> str:
        """Wait for the end of it; why it ended."""
        return await asyncio.shield(self.ended)

    async def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end: CallEnded."""
        await asyncio.wait({self.ended}, timeout=seconds)
        self._check()

    async def wait_for(self, news: asyncio.Event, seconds: float) -> None:
        """Wait for news, for so long at most, and not beyond the end."""
        waiting = asyncio.ensure_future(news.wait())
        try:
            both: set[asyncio.Future[Any]] = {waiting, self.ended}
            await asyncio.wait(both, timeout=max(seconds, 0), return_when="FIRST_COMPLETED")
        finally:
            waiting.cancel()
        self._check()

    # -- from the engine

    def _on_sound(self, kind: str, value: int) -> None:
        """What the bell tells of its sound."""

    def _press(self, key: str, way: str) -> None:
        if self._keypad.press(key, way, self._house.now) and self._on_key is not None:
            self._on_key(key)

    # -- from its phone

    def hear(self, leg: SipLeg, event: Any, now: float) -> bool:
        """What its session tells."""
        handler = _HANDLERS.get(type(event))
        if leg.mover is not None or handler is None:
            return False
        return handler(self, event, now)

    def _on_acknowledged(self, event: sip.SessionAcknowledged, now: float) -> bool:
        if self._leg.media.proposed is not None and (answer := sdp_of(event.request)):
            self._settle(answer, now)
        return True

    def _settle(self, answer: bytes, now: float) -> None:
        try:
            sounding.settle(self._call.media, self._leg.media, answer)
        except (RemoteProtocolError, LocalProtocolError) as error:
            self._call.exchange.log.info("call.bad_answer", call=self._call.id, error=str(error))
            self._call.hang_up("No usable SDP", now, cause=488)

    def _on_reinvite(self, event: sip.ReinviteReceived, now: float) -> bool:
        """It wants other media, or is on hold, or not any more."""
        leg, transaction = self._leg, event.transaction
        status, body = self._agree(sdp_of(event.request))
        headers = RETRY_AFTER if status == 503 else sdp_headers(body)
        leg.session.answer_reinvite(transaction, status, now, body=body, headers=headers)
        if status == 200:
            self._told_hold(sdp_of(event.request))
        return True

    def _on_update(self, event: sip.UpdateReceived, now: float) -> bool:
        offer = sdp_of(event.request)
        status, body = self._agree(offer) if offer else (200, b"")
        event.transaction.respond(status, now, headers=sdp_headers(body), body=body)
        if offer and status == 200:
            self._told_hold(offer)
        return True

    def _agree(self, offer: bytes) -> tuple[int, bytes]:
        """Our answer, or an offer where none came; the status to answer with."""
        media, leg = self._call.media, self._leg
        try:
            if offer:
                return 200, sounding.serve(media, leg.media, offer, leg.codecs)
            return 200, sounding.propose(media, leg.media, leg.codecs, self.codec)
        except RemoteProtocolError as error:
            return error.status, b""
        except NoPortsLeft:
            return 503, b""

    def _told_hold(self, offer: bytes) -> None:
        partner = self._partner
        if partner is not None and offer and not partner.is_over:
            self._house.music.keep_waiting(partner, self.account, is_hold=bridge.is_hold(offer))

    def _on_request(self, event: sip.SessionRequestReceived, now: float) -> bool:
        request = event.request
        if request.method == "INFO":
            key = key_of_info(request.content_type or "", request.body)
            event.transaction.respond(200 if key is not None or not request.body else 415, now)
            if key is not None:
                self._press(key[0], "info")
                if self._partner is not None and not self._partner.is_over:
                    self._partner.station.send_keys(key[0], key[1])
            return True
        if request.method == "REFER":
            self._on_refer_request(event, now)
            return True
        if request.method == "NOTIFY" and self.referring is not None:
            self.referring.on_notify(event.transaction, request, now)
            return True
        return False

    def _on_refer_request(self, event: sip.SessionRequestReceived, now: float) -> None:
        """Its phone sends whoever it talks with elsewhere: for the program to do, if it wants that."""
        told = self._on_refer
        # A leaked tag alone transfers nothing: it must come from where the call is
        if told is None or event.transaction.flow.remote[0] != self._leg.session.flow.remote[0]:
            event.transaction.respond(603, now)
            return
        try:
            target = target_of(event.request)
        except RemoteProtocolError as error:
            event.transaction.respond(error.status, now)
            return
        self._on_refer = None
        self._referral = take(self._leg, event, now)
        told(target)

    def _on_reinvite_answered(self, event: sip.ReinviteAnswered, now: float) -> bool:
        self._leg.session.acknowledge(now)
        if self._leg.media.proposed is not None and (answer := sdp_of(event.response)):
            self._settle(answer, now)
        return True

    def _on_reinvite_rejected(self, event: sip.ReinviteRejected, now: float) -> bool:
        self._leg.media.proposed = None
        if event.status in (408, 481):
            self._leave("it is gone", now)
        return True

    def _on_session_ended(self, event: sip.SessionEnded, now: float) -> bool:
        return False

    def _leave(self, reason: str, now: float) -> None:
        self._call.hang_up(reason, now)

    def _end(self, reason: str) -> None:
        self.ended.set_result(reason)
        self._house.media.sounds.listen(self._station, None)
        for future in list(self._pending):
            future.cancel()
        self._partner = self._on_key = self._on_refer = None


_HANDLERS: dict[type, Callable[[Any, Any, float], bool]] = {
    sip.SessionAcknowledged: Seat._on_acknowledged,
    sip.SessionEnded: lambda seat, event, now: seat._on_session_ended(event, now),
    sip.ReinviteReceived: Seat._on_reinvite,
    sip.ReinviteAnswered: Seat._on_reinvite_answered,
    sip.ReinviteRejected: Seat._on_reinvite_rejected,
    sip.UpdateReceived: Seat._on_update,
    sip.SessionRequestReceived: Seat._on_request,
}
