"""The INVITE to one address: who calls, whom, with which headers, and what the address made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls import identity
from switchroom.switch.calls.contact import contact_for
from switchroom.switch.calls.hunting.attempt import Attempt, Failure, Target
from switchroom.switch.calls.identity import Diversion, Identity
from switchroom.switch.calls.leg import Leg, offered, sdp_headers
from switchroom.switch.calls.routing import ToUri
from switchroom.switch.calls.trunks.trunk import Dress

if TYPE_CHECKING:
    from switchroom.switch.calls.hunting.dialling import Dialling, Errand
    from switchroom.switch.calls.trunks.trunk import Trunk


def send(dialling: Dialling, attempt: Attempt, target: Target, breadth: int | None, now: float) -> Leg:
    """Make a leg. RemoteProtocolError: the caller's offer is of no use here; NoPortsLeft."""
    exchange, call, errand, flow = dialling.exchange, dialling.call, dialling.errand, target.flow
    trunk = attempt.trunk
    media = call.media.leg(flow.remote[0], target.is_nat)
    account = attempt.user if trunk is None else trunk.caller.account
    leg = Leg(call, media, False, account)
    leg.dialling, leg.attempt, leg.codecs = dialling, attempt, attempt.codecs
    if trunk is not None:
        media.security.policy = trunk.policy
    else:
        media.security.policy = exchange.config.policy_of(attempt.user, flow.transport)
    if errand.propose is not None:
        body = errand.propose(leg)
    else:
        body = offered(call.media, errand.caller, leg, errand.offer) if errand.offer else b""
    written = _written(dialling, attempt, target, now)
    headers = _headers(dialling, attempt, target, written, body)
    if breadth is not None:
        headers.append(("Max-Breadth", str(breadth)))
    invite = sip.Request("INVITE", target.uri or written.uri, headers, body)
    if trunk is not None and trunk.signs and exchange.sign is not None:
        exchange.sign(invite, errand, attempt, now)
    session = leg.session = exchange.endpoint.invite(invite, flow, now, exchange.timing_for(trunk))
    session.context = leg
    session.authorizer = _authorizer(attempt)
    if exchange.link is not None:
        exchange.link(session.call_id, call.id)
    return leg


def _headers(
    dialling: Dialling, attempt: Attempt, target: Target, written: Dress, body: bytes
) -> list[tuple[str, str]]:
    """What the INVITE says but for its Via, in this order."""
    exchange, errand = dialling.exchange, dialling.errand
    mint = exchange.mint
    headers = [
        ("Max-Forwards", str(errand.hops)),
        ("From", f"{written.from_};tag={mint.tag()}"),
        ("To", written.to),
        ("Call-ID", mint.call_id()),
        ("CSeq", "1 INVITE"),
        ("Contact", contact_for(target.flow, exchange.endpoint)),
        *exchange.invite_headers,
    ]
    if target.routes:
        headers[:0] = [("Route", route) for route in target.routes]
    for more in (written.headers, errand.headers, attempt.leap.headers):
        if more:
            headers += more
    if body:
        headers += sdp_headers(body)
    if errand.is_reliable:
        headers.append(("Supported", "100rel"))
    return headers


def report(trunk: Trunk, leg: Leg, failure: Failure, now: float) -> None:
    """Tell a trunk what became of a call to one of its addresses."""
    response = failure.response
    if response is None:
        trunk.report(leg.session.flow, "timeout" if failure.status == 408 else "transport", now)
        return
    retry_after = None
    if failure.status == 503:
        try:
            retry_after = response.retry_after
        except RemoteProtocolError:
            retry_after = None
    trunk.report(leg.session.flow, failure.status, now, retry_after)


def _authorizer(attempt: Attempt) -> sip.Authorizer | None:
    """Who answers the challenges of a leg: what a trunk or a URI has a password for, and nobody else."""
    if attempt.trunk is not None:
        return attempt.trunk.authorizer()
    to = attempt.leap.destination
    known = to.credentials if isinstance(to, ToUri) else None
    return None if known is None else sip.DigestAuthorizer(sip.DigestClient(known.username, known.password))


def _written(dialling: Dialling, attempt: Attempt, target: Target, now: float) -> Dress:
    """Request-URI, From without its tag, To, and what else tells who calls."""
    errand, leap = dialling.errand, attempt.leap
    who = _caller_of(errand, attempt)
    trunk = attempt.trunk
    if trunk is not None:
        dress = trunk.dress(who, leap.called, target.flow, now)
        if trunk.has_rules and errand.request is not None:
            dress.headers.extend(trunk.headers_out(errand.request))
        return dress
    domain = dialling.exchange.domain_for(target.flow)
    more = identity.diversion_headers(who.diversions, domain) if who.diversions else []
    if who.diversions and attempt.user:
        more += identity.history_headers(who.diversions, leap.called, domain)
    return Dress(target.uri, identity.from_header(who, domain), identity.address(leap.called, domain), more)


def _caller_of(errand: Errand, attempt: Attempt) -> Identity:
    """The caller as the route shows it, and who has forwarded the call."""
    who, leap, run = errand.identity, attempt.leap, attempt.run
    diversions = run.diversions
    if diversions:
        told = tuple([Diversion(one.number, one.reason) for one in diversions])
        who = who.changed(None, None, told + who.diversions)
    return who if leap.caller == who.number else who.changed(leap.caller)
