"""The signature of a call that goes out over a trunk: ours, or the one it came in with (RFC 8224, 8946)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.switch.calls.stir import PASSED, Stir, Verdict, attestation

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.hunting.attempt import Attempt
    from switchroom.switch.calls.hunting.dialling import Errand
    from switchroom.switch.calls.trunks.trunk import Trunk


class Signing:
    """Signs for the exchange, and judges what others signed."""

    def __init__(self, exchange: Exchange, stir: Stir) -> None:
        self.stir = stir
        self._exchange = exchange
        exchange.sign = self.sign
        exchange.verify = self.verify

    def verify(self, request: sip.Request, trunk: Trunk, now: float) -> Verdict:
        """What the signature of a trunk's INVITE is worth."""
        return self.stir.verify(request, self._exchange.clock.posix(now), trunk.whole_in)

    def sign(self, invite: sip.Request, errand: Errand, attempt: Attempt, now: float) -> None:
        """Vouch for the caller of a call over a trunk that wants it."""
        trunk = attempt.trunk
        if trunk is None:
            return
        at = self._exchange.clock.posix(now)
        if trunk.config.pass_identity and self._pass_on(invite, errand, attempt, trunk, at):
            return
        if trunk.config.sign:
            account = errand.caller.account
            user = self._exchange.router.users.get(account)
            source = self._source(errand) if user is None else None
            attest = attestation(user, errand.identity.number, source.config.attestation if source else "")
            self.stir.sign_request(invite, attest, account, at, trunk.whole_out)

    def _pass_on(
        self, invite: sip.Request, errand: Errand, attempt: Attempt, trunk: Trunk, at: float
    ) -> bool:
        """Hand on a good signature, if the caller is still shown by the number that it is about."""
        who, source = errand.identity, self._source(errand)
        if errand.request is None or source is None or who.verstat != PASSED:
            return False
        if attempt.leap.caller != who.number:
            return False
        diverted = [diversion.number for diversion in reversed(attempt.run.diversions)]
        return self.stir.pass_on(invite, errand.request, diverted, at, source.whole_in, trunk.whole_out)

    def _source(self, errand: Errand) -> Trunk | None:
        return self._exchange.trunks.get(errand.caller.account.removeprefix("trunk:"))
