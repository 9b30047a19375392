"""Which INVITEs are tried at all: loops, unreadable bodies, limits, overload (THREATS C1, C9, G9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls.access.limits import Caps
from switchroom.switch.calls.access.overload import Overload
from switchroom.switch.calls.leg import RETRY_AFTER, SDP
from switchroom.switch.calls.rules import Caller, ExchangeConfig

if TYPE_CHECKING:
    from switchroom.switch.calls.routing.router import Router
    from switchroom.switch.store import RecordStore

_OVERLOADED = sip.Refusal(503, RETRY_AFTER)
_NO_BREADTH = sip.Refusal(440)


class Admission:
    """Limits of accounts and of the whole; an emergency call is stopped by none of them."""

    def __init__(self, config: ExchangeConfig, mint: sip.Mint, records: RecordStore) -> None:
        self.caps = Caps()
        self.elsewhere = 0  # calls in progress in other workers, as last told
        self.overload = Overload(config.overload)
        self.is_draining = False
        self.setups = 0  # calls that are being set up
        self._mint = mint
        self._records = records
        self.reconfigure(config)

    def reconfigure(self, config: ExchangeConfig) -> None:
        """Apply new limits; what is counted stays."""
        self._max_calls = config.max_calls
        self.caps.limits = config.caps
        self.overload.rules = config.overload
        self._busy = sip.Refusal(503, (("Retry-After", str(config.overload.retry_after)),))

    def shed(self, router: Router, request: sip.Request) -> sip.Refusal | bool:
        """Before anything else is done for an INVITE: a refusal, True for silence, False to go on."""
        overload = self.overload
        if not self.is_draining and not overload.share and self.setups <= overload.rules.max_setups:
            return False
        if router.is_emergency(request.uri.user or ""):
            return False
        if self.is_draining:
            return self._busy
        if not overload.sheds(self.setups):
            return False
        if overload.is_silent:
            overload.dropped += 1
            return True
        overload.refused += 1
        return self._busy

    def inspect(self, request: sip.Request) -> sip.Refusal | None:
        """Why this INVITE goes nowhere, whoever sends it (RFC 3261 §16.3, RFC 5393)."""
        if request.max_forwards == 0:
            return sip.Refusal(483)
        for branch in request.branches():
            if branch and self._mint.is_own_branch(branch):
                return sip.Refusal(482)
        if "max-breadth" in request:
            try:
                if request.max_breadth == 0:
                    return _NO_BREADTH
            except RemoteProtocolError as error:
                return sip.Refusal(error.status)
        return _unreadable(request)

    def why(self, caller: Caller, count: int) -> str:
        """In plain words, why ``limit`` or ``shed`` said no: for the record, a moment later."""
        if self.is_draining:
            return "the switch takes no new calls"
        if self._records.is_full:
            return "no records can be written"
        if count + self.elsewhere >= self._max_calls:
            return "too many calls"
        if caller.trunk is not None:
            return f"trunk {caller.trunk.name} has too many calls"
        return "the caller has too many calls, or too many in a second"

    def limit(self, caller: Caller, number: str, count: int, now: float) -> sip.Refusal | None:
        """Why there may not be one more call now."""
        if count + self.elsewhere >= self._max_calls or self._records.is_full:
            return _OVERLOADED
        if not self.caps.admits(caller.account, now):
            return _OVERLOADED
        trunk = caller.trunk
        return None if trunk is None else trunk.admit(number, now, False, False)


def _unreadable(request: sip.Request) -> sip.Refusal | None:
    """A body of several parts must be whole and hold SDP: it is no offerless call (THREATS B5)."""
    kind = request.content_type if request.body else None
    if kind is None or kind == SDP or not kind.startswith("multipart/"):
        return None
    try:
        parts = sip.body_parts(request)
    except RemoteProtocolError as error:
        return sip.Refusal(error.status)
    for part in parts:
        if part.content_type == SDP:
            return None
    return sip.Refusal(415, (("Accept", SDP),))
