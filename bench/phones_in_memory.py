"""Phones without a network: what they send comes as one wake-up brings it, what they get stays here."""

from __future__ import annotations

import cProfile
import re
import time
from hashlib import md5
from typing import Any

from servers import CALLER, FIRST_USER, PASSWORD, SERVER

from switchroom.switch import Switch

AT_ONCE = 3  # registrations that begin in a batch, while as many others end
REGISTER = f"""\
REGISTER sip:127.0.0.1:{SERVER} SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:{CALLER};rport;branch=z9hG4bK-{{number}}-{{cseq}}\r
Max-Forwards: 70\r
From: <sip:{{user}}@127.0.0.1:{SERVER}>;tag=r{{number}}\r
To: <sip:{{user}}@127.0.0.1:{SERVER}>\r
Call-ID: {{number}}-load@127.0.0.1\r
CSeq: {{cseq}} REGISTER\r
Contact: <sip:{{user}}@127.0.0.1:{CALLER}>\r
Expires: 600\r
User-Agent: load\r
{{more}}Content-Length: 0\r
\r
"""


class Sink:
    """Stands for the socket: what is sent stays here."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any]] = []

    def send(self, datagrams: list[tuple[bytes, Any]]) -> int:
        """Keep them."""
        self.sent += datagrams
        return len(datagrams)

    def take_failures(self) -> list[Any]:
        """Nothing ever fails."""
        return []

    def receive(self) -> list[Any]:
        """Nothing comes this way."""
        return []


class Line:
    """The switch as its phones see it, and the time that it takes."""

    def __init__(self, switch: Switch) -> None:
        listener: Any = next(one for one in switch.face._flows.listeners if one.host == "127.0.0.1")
        self.sink = listener._batch = Sink()
        self._receive = listener._on_datagrams
        self.flow_from = listener._make_flow
        self.seconds = 0.0
        self.profile: cProfile.Profile | None = None

    def send(self, batch: list[tuple[bytes, Any]]) -> list[bytes]:
        """What the switch sends because of it."""
        began = time.thread_time()
        if self.profile is not None:
            self.profile.enable()
        self._receive(batch)
        if self.profile is not None:
            self.profile.disable()
        self.seconds += time.thread_time() - began
        sent, self.sink.sent = self.sink.sent, []
        return [data for data, _ in sent]


class Registrants:
    """Phones that take turns; each pass some begin to register and others answer their challenge."""

    per_pass = AT_ONCE

    def __init__(self, line: Line, users: int) -> None:
        self.line = line
        self.users = users
        self.flow = line.flow_from(None, ("127.0.0.1", CALLER))
        self.number = 0
        self.nonces: dict[int, str] = {}

    def go_on(self) -> None:
        """One batch."""
        batch = []
        for number, nonce in self.nonces.items():
            batch.append((self._register(number, 2, self._authorization(number, nonce)), self.flow))
        asked = len(batch)
        for _ in range(AT_ONCE):
            self.number += 1
            batch.append((self._register(self.number, 1), self.flow))
        answers = [data for data in self.line.send(batch) if data.startswith(b"SIP/2.0 ")]  # no probes
        begun = range(self.number - AT_ONCE + 1, self.number + 1)
        assert all(data.startswith(b"SIP/2.0 200") for data in answers[:asked]), answers
        self.nonces = {number: nonce_in(data) for number, data in zip(begun, answers[asked:], strict=True)}

    def _register(self, number: int, cseq: int, more: str = "") -> bytes:
        return REGISTER.format(number=number, cseq=cseq, user=self._user(number), more=more).encode()

    def _user(self, number: int) -> str:
        return str(FIRST_USER + number % self.users)

    def _authorization(self, number: int, nonce: str) -> str:
        user, uri = self._user(number), f"sip:127.0.0.1:{SERVER}"
        a1, a2 = digest(f"{user}:127.0.0.1:{PASSWORD}"), digest(f"REGISTER:{uri}")
        proof = digest(f"{a1}:{nonce}:00000001:7a3b:auth:{a2}")
        return (
            f'Authorization: Digest username="{user}",realm="127.0.0.1",cnonce="7a3b",nc=00000001,qop=auth,'
            f'uri="{uri}",nonce="{nonce}",response="{proof}",algorithm=MD5\r\n'
        )


def nonce_in(data: bytes) -> str:
    """That of a challenge."""
    found = re.search(rb'nonce="([0-9a-f]+)"', data)
    assert found is not None, data
    return found[1].decode()


def digest(text: str) -> str:
    """As RFC 3261 has it."""
    return md5(text.encode()).hexdigest()
