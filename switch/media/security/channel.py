"""The protection of one m-line of one leg: its keys, and with DTLS how it comes to them.

A channel outlives offers and answers: what did not change goes on, so that neither a hold nor a new codec
breaks the stream. It sends and receives nothing itself; ``guard`` and the engine do.
"""

from __future__ import annotations

import os
import random
from copy import copy
from enum import StrEnum
from typing import NamedTuple

from switchroom.protocols.srtp import (
    SUITES,
    Certificate,
    Crypto,
    Established,
    Fingerprint,
    Handshake,
    Setup,
)
from switchroom.protocols.stun import Address, Agent, Candidate, Credentials, Lost, Selected, make_credentials

from .._crypto import Protector
from ..stream import Keys, Place, Shield
from .heard import Heard

_MAX_HANDSHAKES = 4  # at once: behind a NAT the first to come may be somebody else
_MAX_FAILURES = 8
_RETRY_AFTER = 0.5  # seconds
_OFFERED = 4  # suites: a longer body would not fit into a datagram


class Association(NamedTuple):
    """What a handshake has come to, so that a later process can go on."""

    certificate: tuple[bytes, bytes]  # ours, and its key
    fingerprints: tuple[Fingerprint, ...]  # of the other end
    is_client: bool
    suite: str
    inward: bytes
    outward: bytes
    face: Address
    agent: tuple[Credentials, bytes, Credentials, bool] | None  # ours, its mark, theirs, whether we choose


class Mode(StrEnum):
    """How an m-line of a leg is protected."""

    CLEAR = ""
    SDES = "SDES"
    DTLS = "DTLS"


class Channel:
    """One m-line's protection; ``mode`` is what was agreed on last."""

    def __init__(self, certificate: Certificate, suites: tuple[str, ...], *, is_lite: bool = False) -> None:
        self.mode = Mode.CLEAR
        self.proto = ""  # of the agreed line
        self.suites = suites
        self.inward: Keys | None = None
        self.outward: Keys | None = None
        self.opener: Protector | None = None  # of the keys in force
        self.closer: Protector | None = None
        self.is_installed = False  # the engine has them
        self.offered: tuple[Crypto, ...] = ()
        self.agent: Agent | None = None
        self._next_agent: Agent | None = None  # of a description that is not agreed yet
        self.face: Address | None = None  # where the leg is
        self.failure = ""  # what became of the last handshake
        self._certificate = certificate
        self._is_lite = is_lite
        self._fingerprints: tuple[Fingerprint, ...] = ()
        self._is_client = False
        self._handshakes: dict[Address, Handshake] = {}
        self._established: Address | None = None
        self._failures = 0
        self._begin_at: float | None = None
        self._is_resumed = False  # an earlier process had the handshake
        self._out: list[tuple[bytes, Address]] = []
        self._places: tuple[list[Place], list[Place]] | None = None  # of an earlier process

    # -- keys in the description

    def offer_keys(self) -> tuple[Crypto, ...]:
        """Return what we offer: the keys in force, or new ones of every suite."""
        if self.mode is Mode.SDES and self.outward is not None:
            return self.offered
        if not self.offered:
            self.offered = tuple(
                [Crypto(i, name, _fresh(name)) for i, name in enumerate(self.suites[:_OFFERED], start=1)]
            )
        return self.offered

    def answer_keys(self, heard: Heard) -> Crypto | None:
        """Return our line in answer to an offer's, with the offerer's tag; None: nothing in common."""
        theirs = next((one for one in heard.cryptos if one.suite in self.suites), None)
        if theirs is None:
            return None
        same = [one.master for one in self.offered if one.suite == theirs.suite]
        return Crypto(theirs.tag, theirs.suite, same[0] if same else _fresh(theirs.suite))

    def agree_keys(self, local: Crypto, remote: Crypto) -> None:
        """Both ends have said their keys."""
        self.offered = (local,)
        self._leave(Mode.SDES)
        self.use(Keys(remote.suite, remote.master, remote.mki), Keys(local.suite, local.master))

    def agree_nothing(self) -> None:
        """The line is in the clear."""
        self._leave(Mode.CLEAR)
        self.offered = ()
        self.inward = self.outward = self.opener = self.closer = None

    def use(self, inward: Keys, outward: Keys) -> None:
        """Put keys in force; those that stay the same go on with what they have counted."""
        places = self._places or (None, None)
        if inward != self.inward or self.opener is None:
            self.opener = Protector(inward, is_sender=False, places=places[0])
            self.is_installed = False
        if outward != self.outward or self.closer is None:
            self.closer = Protector(outward, is_sender=True, places=places[1])
            self.is_installed = False
        self.inward, self.outward, self._places = inward, outward, None

    def take_places(self, inward: list[Place], outward: list[Place]) -> None:
        """Where the sources were that an earlier process had; before the keys are agreed on."""
        self._places = inward, outward

    def _leave(self, mode: Mode) -> None:
        if self.mode is not mode and self.mode is Mode.DTLS:
            self.agent = self._next_agent = self.face = None
            self._handshakes.clear()
            self._established = None
        self.mode = mode

    # -- keys of a handshake, and connectivity checks

    @property
    def fingerprint(self) -> Fingerprint:
        return self._certificate.fingerprint

    def credentials(self, heard: Heard | None, *, is_controlling: bool) -> Credentials | None:
        """Return ours for a description; new ones when the other end begins anew (RFC 8445 §2.4)."""
        if heard is not None and heard.credentials is None:
            return None
        agent = self._next_agent or self.agent
        if agent is None or (heard is not None and agent.remote not in (None, heard.credentials)):
            mark = random.SystemRandom().getrandbits(32).to_bytes(4)
            agent = self._next_agent = Agent(
                make_credentials(),
                mark,
                is_controlling=is_controlling and not self._is_lite,
                is_lite=self._is_lite,
            )
        return agent.local

    @property
    def is_lite(self) -> bool:
        return self._is_lite

    def agree_handshake(
        self, heard: Heard, candidates: tuple[Candidate, ...], now: float, *, is_client: bool
    ) -> None:
        """Both descriptions are there; whoever is found and proves the certificate has the line."""
        self._leave(Mode.DTLS)
        is_other = heard.fingerprints != self._fingerprints or is_client is not self._is_client
        if self._established is None or is_other:
            self._handshakes.clear()
            self._is_resumed = False
            self._fingerprints, self._is_client = heard.fingerprints, is_client
            self._established = self.inward = self.outward = self.opener = self.closer = None
            self._failures = 0
            self.offered = ()
        self.agent, self._next_agent = self._next_agent or self.agent, None
        if heard.credentials is None:
            self.agent = None
        elif self.agent is not None:
            self.agent.take_remote(heard.credentials, candidates, now, is_lite=heard.is_lite)

    def reach(self, address: Address | None, now: float) -> None:
        """Without ICE: where the other end is, if that is known; who begins begins."""
        if self.mode is Mode.DTLS and self.agent is None and address is not None and self.face != address:
            self.face = address
            self._begin(now)

    @property
    def shield(self) -> Shield | None:
        """What the engine has to know about it."""
        if self.mode is Mode.CLEAR:
            return None
        if self.agent is None:
            return Shield(has_dtls=self.mode is Mode.DTLS)
        return Shield(True, True, self.agent.local.ufrag.encode(), self.agent.mark)

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take what the engine handed up: a connectivity check, or a piece of a handshake."""
        if data[0] < 4:
            if self.agent is not None:
                self.agent.receive_datagram(data, source, now)
                self._hear_agent(now)
            return
        handshake = self._handshakes.get(source)
        if handshake is None:
            if self._is_client or self._established not in (None, source):
                return
            handshake = self._new_handshake(source, now)
        if handshake is not None:
            handshake.receive_datagram(data, now)
            self._hear_handshake(source, handshake, now)

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Return what to send where."""
        out, self._out = self._out, []
        if self.agent is not None:
            out += self.agent.datagrams_to_send()
        return out

    def next_timer(self) -> float | None:
        """When to call ``handle_timer``."""
        times = [handshake.next_timer() for handshake in self._handshakes.values()]
        times += [self._begin_at, None if self.agent is None else self.agent.next_timer()]
        return min([at for at in times if at is not None], default=None)

    def handle_timer(self, now: float) -> None:
        """Go on with what waits."""
        if self._begin_at is not None and self._begin_at <= now:
            self._begin_at = None
            self._begin(now)
        for source, handshake in list(self._handshakes.items()):
            at = handshake.next_timer()
            if at is not None and at <= now:
                handshake.handle_timer(now)
                self._hear_handshake(source, handshake, now)
        if self.agent is not None:
            self.agent.handle_timer(now)
            self._hear_agent(now)

    def _hear_agent(self, now: float) -> None:
        assert self.agent is not None
        while (event := self.agent.next_event()) is not None:
            match event:
                case Selected(address):
                    self._move(address)
                    self.face = address
                    self._begin(now)
                case Lost():
                    self.face = None

    def _move(self, address: Address) -> None:
        """An association is not tied to an address: ICE may find another way (RFC 8842 §4)."""
        before = self._established or self.face
        if before is not None and before in self._handshakes:
            self._handshakes[address] = self._handshakes.pop(before)
            self._established = None if self._established is None else address

    def _begin(self, now: float) -> None:
        is_known = self.face in self._handshakes or self._is_resumed
        if self._is_client and self.face is not None and not is_known:
            handshake = self._new_handshake(self.face, now)
            if handshake is not None:
                self._hear_handshake(self.face, handshake, now)

    def _new_handshake(self, source: Address, now: float) -> Handshake | None:
        if len(self._handshakes) >= _MAX_HANDSHAKES:
            return None
        handshake = self._handshakes[source] = Handshake(
            self._certificate, self._fingerprints, self.suites, now, is_client=self._is_client
        )
        return handshake

    def _hear_handshake(self, source: Address, handshake: Handshake, now: float) -> None:
        self._out += [(data, source) for data in handshake.datagrams_to_send()]
        event = handshake.next_event()
        if event is None:
            return
        if isinstance(event, Established):
            self._established = source
            self._is_resumed = False
            self._handshakes = {source: handshake}
            self.failure = ""
            self.use(Keys(event.suite, event.remote), Keys(event.suite, event.local))
            return
        # whoever that was, the next one may be the one that is meant (THREATS A5)
        self.failure = event.reason
        del self._handshakes[source]
        self._failures += 1
        if self._is_client and self._failures < _MAX_FAILURES:
            self._begin_at = now + _RETRY_AFTER

    # -- from one process to the next

    def export(self) -> Association | None:
        """What its handshake has come to; None: to nothing yet."""
        agent, inward, outward = self.agent, self.inward, self.outward
        if self._established is None or self.face is None or inward is None or outward is None:
            return None
        checks = None
        if agent is not None and agent.remote is not None:
            checks = agent.local, agent.mark, agent.remote, agent.is_controlling
        return Association(
            self._certificate.export(),
            self._fingerprints,
            self._is_client,
            inward.suite,
            inward.master,
            outward.master,
            self.face,
            checks,
        )

    def resume(self, kept: Association, now: float) -> None:
        """Go on with what an earlier process has come to; ``take_places`` comes first."""
        self.mode = Mode.DTLS
        self._certificate = Certificate.load(*kept.certificate)
        self._fingerprints, self._is_client, self._is_resumed = kept.fingerprints, kept.is_client, True
        self.face = self._established = kept.face
        self.use(Keys(kept.suite, kept.inward), Keys(kept.suite, kept.outward))
        if kept.agent is not None:
            local, mark, remote, is_controlling = kept.agent
            self.agent = Agent(local, mark, is_controlling=is_controlling, is_lite=self._is_lite)
            self.agent.resume(remote, kept.face, now)

    def moved(self) -> Channel:
        """The same end at other ports of ours: its keys go on, how to reach it is found out anew."""
        twin = copy(self)
        twin.agent = twin._next_agent = twin.face = None
        twin.is_installed = False
        twin._handshakes = dict(self._handshakes)
        twin._out = []
        return twin

    # -- what is told

    def __str__(self) -> str:
        """SDES AES_CM_128_HMAC_SHA1_80, DTLS AEAD_AES_128_GCM, DTLS (no keys yet), or nothing."""
        if self.mode is Mode.CLEAR:
            return ""
        if self.inward is None:
            return f"{self.mode} ({self.failure or 'no keys yet'})"
        return f"{self.mode} {self.inward.suite}"

    @property
    def setup(self) -> Setup:
        """Our role in an association that is there, for a description that changes nothing."""
        return Setup.ACTIVE if self._is_client else Setup.PASSIVE


def _fresh(suite: str) -> bytes:
    return os.urandom(SUITES[suite].master_size)
