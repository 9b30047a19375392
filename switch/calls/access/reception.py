"""The reception: requests outside of dialogs. Who sends them, and who deals with what they ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.sip.inspection import inspect_request
from switchroom.switch.calls.access.auth import Authenticated, AuthenticatedTrunk, Challenged, Refused
from switchroom.switch.calls.access.proportion import Proportion
from switchroom.switch.calls.leg import ALLOW, EXTENSIONS, SDP
from switchroom.switch.calls.rules import Caller
from switchroom.switch.net.between import is_between_workers

if TYPE_CHECKING:
    from switchroom.switch.calls.access.auth import Authenticator
    from switchroom.switch.calls.access.strangers import Strangers
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.features.elsewhere import Elsewhere

OnMethod = Callable[[sip.RequestReceived, Caller, float], None]


class Reception:
    """Calls go on to the exchange; whoever deals with another method stands in ``on_method``."""

    def __init__(
        self,
        exchange: Exchange,
        authenticator: Authenticator,
        peer_names: Callable[[sip.Flow], Sequence[str]],
    ) -> None:
        """``peer_names`` tells what the certificate at the other end of a flow says."""
        self._on_method: dict[str, OnMethod] = {}
        self._methods: tuple[str, ...] = ()  # those of dialogs, and those outside that somebody deals with
        self.strangers: Strangers | None = None  # those who are not answered at all
        self.elsewhere: Elsewhere | None = None  # what other workers have
        # Takes the INVITEs that other workers send as one end of a call
        self.on_other_worker: Callable[[sip.RequestReceived, float], None] | None = None
        self.proportion = Proportion(exchange.is_trusted)
        self._exchange = exchange
        self._endpoint = exchange.endpoint
        self._registrar = exchange.registrar
        self._authenticator = authenticator
        self._peer_names = peer_names
        self.attend("REGISTER", self._register)

    def attend(self, method: str, handler: OnMethod) -> None:
        """Have requests of a method dealt with, once it is known who sends them."""
        self._on_method[method] = handler
        self._methods = tuple(dict.fromkeys((*ALLOW.split(", "), *self._on_method)))

    def receive(self, event: sip.RequestReceived, now: float) -> None:
        """A request that belongs to no dialog."""
        request = event.request
        method = request.method
        if method == "ACK":
            return  # nothing waits for it
        if self.on_other_worker is not None and is_between_workers(event.flow):
            self.on_other_worker(event, now)
            return
        if self.strangers is not None and self.strangers.is_ignored(request, event.flow):
            return
        if method == "OPTIONS" and self._exchange.is_ours(request.uri, event.flow):
            self._options(event, now)
            return
        caller = None
        if method == "INVITE":
            if self.elsewhere is not None:
                if self.elsewhere.sends_again(event, now):
                    return
                caller = self.elsewhere.caller_of(event)
            if self._is_shed(event, now):
                return
        caller = caller or self._identify(event, now)
        if caller is None:
            return
        refusal = self._inspect(request)
        if method == "INVITE":
            self._exchange.invite(event, caller, refusal, now)
            return
        handler = self._on_method.get(method)
        if refusal is not None:
            self._endpoint.reply(event, refusal.status, now, None, refusal.headers)
        elif method != "REGISTER" and caller.is_guest:
            self._endpoint.reply(event, 403, now)  # texts and lamps are for users of the file
        elif handler is not None:
            handler(event, caller, now)
        else:  # OPTIONS for another host: we are no proxy; the rest belongs into a dialog
            self._endpoint.reply(event, 404 if method == "OPTIONS" else 481, now)

    def _inspect(self, request: sip.Request) -> sip.Refusal | None:
        return inspect_request(request, self._methods, EXTENSIONS)

    def _register(self, event: sip.RequestReceived, caller: Caller, now: float) -> None:
        status, reason, headers = self._registrar.handle(event.request, event.flow, caller.account, now)
        self._endpoint.respond(event, status, now, reason, headers)

    def _is_shed(self, event: sip.RequestReceived, now: float) -> bool:
        """Too much to do: this call is refused, or not even answered, before it costs more (THREATS G9)."""
        shed = self._exchange.admission.shed(self._exchange.router, event.request)
        if shed is False:
            return False
        if isinstance(shed, sip.Refusal):
            self._endpoint.reply(event, shed.status, now, None, shed.headers)
            return True
        return shed

    def _identify(self, event: sip.RequestReceived, now: float) -> Caller | None:
        """Who asks: a trunk (not to REGISTER) or a user by digest; None: already answered."""
        request, flow = event.request, event.flow
        if request.method != "REGISTER":
            trunks = self._exchange.trunks
            names = self._peer_names(flow) if trunks.has_names and flow.is_secure else ()
            trunk = trunks.identify(flow, request, now, names)
            if trunk is not None:
                return trunk.caller
        verdict = self._authenticator.authenticate(request, flow, now)
        if isinstance(verdict, Authenticated):
            return verdict.caller
        if isinstance(verdict, AuthenticatedTrunk):
            trunk = self._exchange.trunks.get(verdict.name)
            if trunk is not None:
                return trunk.caller
            self._endpoint.reply(event, 403, now)
        elif isinstance(verdict, Challenged):
            self._answer_stranger(event, verdict.status, verdict.headers, now, 1)
        elif isinstance(verdict, Refused):
            self._endpoint.reply(event, verdict.status, now, verdict.reason, verdict.headers)
        return None  # Ignored: a banned source hears nothing

    def _options(self, event: sip.RequestReceived, now: float) -> None:
        refusal = self._inspect(event.request)
        if refusal is not None:
            self._endpoint.reply(event, refusal.status, now, None, refusal.headers)
        else:
            headers = (
                ("Allow", ", ".join(self._methods)),
                ("Accept", SDP),
                ("Supported", ", ".join(EXTENSIONS)),
            )
            self._answer_stranger(event, 200, headers, now)

    def _answer_stranger(
        self,
        event: sip.RequestReceived,
        status: int,
        headers: Sequence[tuple[str, str]],
        now: float,
        least: int = 0,
    ) -> None:
        fitting = self.proportion.fit(event, status, headers, least)
        if fitting is not None:
            self._endpoint.reply(event, status, now, None, tuple(fitting))
