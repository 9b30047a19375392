"""A program sends somebody elsewhere: REFER, and what his phone tells of it (RFC 3515)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls.contact import contact_for
from switchroom.switch.calls.features.referral import Referral

if TYPE_CHECKING:
    from switchroom.switch.calls.leg import Leg as SipLeg

    from .party import Party

_MAX_TARGET = 1024
_STATUS = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})[ \r\n]")


class Referred(NamedTuple):
    """What became of a REFER: its answer, and the last status that was told; 0: none."""

    status: int
    told: int


class Referring:
    """One REFER."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[int] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self.told = 0

    def on_response(self, status: int, now: float) -> None:
        """The phone does it, or does not."""
        if not self.answered.done():
            self.answered.set_result(status)

    def on_notify(self, transaction: sip.ServerTransaction, request: sip.Request, now: float) -> None:
        """How far it is."""
        try:
            event, state = request.event, request.subscription_state
        except RemoteProtocolError as error:
            transaction.respond(error.status, now)
            return
        if event is None or event.package != "refer":
            transaction.respond(489, now)
            return
        transaction.respond(200, now)
        found = _STATUS.match(request.body[:64])
        if found is not None:
            self.told = int(found[1])
        is_last = self.told >= 200 or (state is not None and state.state == "terminated")
        if is_last and not self.over.done():
            self.over.set_result(None)


def target_of(request: sip.Request) -> str:
    """Whom a phone names to its partner, as it wrote it; RemoteProtocolError: nobody who can be called."""
    values = request.get_all("Refer-To")
    if len(values) != 1 or len(values[0]) > _MAX_TARGET or not values[0].isprintable():
        raise RemoteProtocolError("one Refer-To is needed")
    refer_to = request.refer_to
    assert refer_to is not None
    uri = refer_to.uri
    if not (uri.is_sip or uri.scheme == "tel") or (uri.param("method") or "INVITE").upper() != "INVITE":
        raise RemoteProtocolError("only calls to sip and tel addresses can be asked for", status=403)
    return values[0].strip()


def take(leg: SipLeg, event: sip.SessionRequestReceived, now: float) -> Referral:
    """Say that it will be done: 202, and the first NOTIFY."""
    exchange, request = leg.call.exchange, event.request
    is_silent = (request.get("Refer-Sub") or "").strip().lower() == "false"
    referral = Referral(exchange, leg, request, now, is_first=not leg.refer_count, is_silent=is_silent)
    leg.refer_count += 1
    headers = [("Contact", contact_for(leg.session.flow, exchange.endpoint))]
    if is_silent:
        headers.append(("Refer-Sub", "false"))
    event.transaction.respond(202, now, headers=headers)
    referral.tell(100, "Trying", now)
    return referral


async def refer(party: Party, uri: str, seconds: float = 30.0) -> Referred:
    """Ask a phone to call somebody else; it is for the phone, or the program, to end the call then."""
    leg, house = party.sip_leg, party.house
    now = house.now
    flow = leg.session.flow
    headers = [("Refer-To", f"<{uri}>"), ("Contact", contact_for(flow, house.exchange.endpoint))]
    sent = leg.session.send_request("REFER", now, headers=headers)
    if sent is None:
        return Referred(481, 0)
    referring = party.referring = Referring()
    sent.context = referring
    house.flush()
    try:
        for future in (referring.answered, referring.over):
            waiting: set[asyncio.Future[object]] = {future, party.ended}  # type: ignore[arg-type]
            await asyncio.wait(waiting, timeout=seconds, return_when="FIRST_COMPLETED")
            if not referring.answered.done() or referring.answered.result() >= 300:
                break
    finally:
        party.referring = None
    return Referred(referring.answered.result() if referring.answered.done() else 408, referring.told)
