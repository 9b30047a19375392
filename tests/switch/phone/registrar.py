"""A registrar of one account that asks for a password, on the same protocol stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from switchroom.protocols import sip
from switchroom.switch.net import Addresses, Clock, NetLimits, SipFace

Answer: TypeAlias = tuple[int, list[tuple[str, object]]]  # status and headers

REALM = "test"
PASSWORD = "secret"
MIN_EXPIRES = 60


class Registrar:
    """Keeps contacts in a dict; ``answer`` may be replaced to misbehave."""

    def __init__(self, transport: str = "udp") -> None:
        self.contacts: dict[str, int] = {}
        self.requests: list[sip.Request] = []
        self.answer: Callable[[sip.Request], Answer] = self.judge
        self._endpoint = sip.Endpoint()
        self._nonces = sip.Nonces(b"x" * 32)
        self._addresses = Addresses()
        self._clock = Clock()
        self.face = SipFace(
            self._endpoint,
            self._on_event,
            listen=[f"{transport}:127.0.0.1:0"],
            limits=NetLimits(),
            addresses=self._addresses,
        )

    @property
    def address(self) -> tuple[str, int]:
        _, host, port = self.face.bound[0]
        return host, port

    async def __aenter__(self) -> Registrar:
        await self.face.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.face.stop()
        await self._addresses.stop()

    def _on_event(self, event: sip.Event, now: float) -> None:
        assert isinstance(event, sip.RequestReceived)
        self.requests.append(event.request)
        answer = self.answer(event.request)
        status, headers = answer
        if event.request.method == "INVITE":
            self._endpoint.accept(event, now, contact="<sip:127.0.0.1>").reject(status, now, headers=headers)
        else:
            self._endpoint.begin(event, now).respond(status, now, headers=headers)

    def judge(self, request: sip.Request) -> Answer:
        """What a registrar should answer."""
        given = request.get("Authorization")
        if given is None:
            return 401, [("WWW-Authenticate", sip.Challenge(REALM, self._nonces.mint("", self._clock.now())))]
        proof = sip.Credentials.parse(given)
        a1 = sip.digest.compute_a1(proof.username, REALM, PASSWORD, proof.algorithm)
        if not proof.is_proof_of(a1, "REGISTER"):
            return 403, []
        expires = request.expires or 0
        if 0 < expires < MIN_EXPIRES:
            return 423, [("Min-Expires", str(MIN_EXPIRES))]
        for contact in request.contacts:
            self.contacts[str(contact.uri)] = expires
        bound = [("Contact", f"<{uri}>;expires={left}") for uri, left in self.contacts.items() if left]
        return 200, [*bound, ("Contact", "<sip:other@192.0.2.1>;expires=7")]
