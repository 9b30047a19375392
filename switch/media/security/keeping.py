"""Keys that outlive their process: what is kept of a secured call, sealed, and how the next process goes on.

Sources are kept with where they were, some seconds ago at most: sound is not so fast that the rollover
counter could be another than what follows from that (RFC 3711 §3.3.1), so no packet leaves under an index
that was used before. What is sent by RTCP goes on behind all that could have been sent meanwhile.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from switchroom.protocols.srtp import Crypto, Fingerprint
from switchroom.protocols.stun import Credentials

from ..stream import Place
from .channel import Association, Channel, Mode

if TYPE_CHECKING:
    from ..session import MediaSession
    from .guard import Guard
    from .security import Security

_NONCE_SIZE = 12
_RENEW_INTERVAL = 10.0  # seconds
_WAIT_INTERVAL = 1.0  # the same, while there are no keys yet
_RTCP_AHEAD = 1 << 20
_LABEL = b"media of a call"

SdesKeys = tuple[tuple[int, str, bytes], tuple[int, str, bytes, bytes]]  # ours, theirs
Kept = tuple[str, list[Place], list[Place], SdesKeys | Association]
KeptChannel = tuple[str, str, list[Place], list[Place], SdesKeys | Association]  # its mid before it


class Keeper:
    """Seals the state of secured calls with a key of the state folder, and has it kept anew as they go on."""

    def __init__(self, path: Path, keep: Callable[[Any], object]) -> None:
        """``keep`` is told what the session of a call belongs to."""
        self._path, self._keep = path, keep
        self._cipher: AESGCM | None = None
        self._sessions: set[MediaSession] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: set[MediaSession] = set()  # for the end of a handshake
        self._wait_timer: asyncio.TimerHandle | None = None

    def seal(self, session: MediaSession, state: object) -> str:
        """Encrypt what is kept of a session, which will be asked for it again."""
        nonce = os.urandom(_NONCE_SIZE)
        text = json.dumps(state, default=lambda octets: octets.decode("latin-1"))
        self._sessions.add(session)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_RENEW_INTERVAL, self._on_timer)
        return base64.b64encode(nonce + self._key().encrypt(nonce, text.encode(), _LABEL)).decode()

    def wait_for(self, session: MediaSession) -> None:
        """It has no keys yet: it will be asked again."""
        self._waiting.add(session)
        if self._wait_timer is None:
            self._wait_timer = asyncio.get_running_loop().call_later(_WAIT_INTERVAL, self._on_wait_timer)

    def open(self, sealed: str) -> Any:
        """Decrypt it; ValueError: it was sealed with another key."""
        data = base64.b64decode(sealed)
        try:
            return json.loads(self._key().decrypt(data[:_NONCE_SIZE], data[_NONCE_SIZE:], _LABEL))
        except InvalidTag:
            raise ValueError(f"{self._path} is another key than the one of the last process") from None

    def stop(self) -> None:
        """Ask nobody any more."""
        for timer in (self._timer, self._wait_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._wait_timer = None
        self._sessions.clear()
        self._waiting.clear()

    def _key(self) -> AESGCM:
        """The key, made the first time, for its owner alone; workers have the same."""
        if self._cipher is None:
            if not self._path.exists():
                self._make()
            self._cipher = AESGCM(self._path.read_bytes())
        return self._cipher

    def _make(self) -> None:
        """Whoever of several is first; the others find it whole."""
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(AESGCM.generate_key(256))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, self._path)
        draft.unlink()

    def _on_timer(self) -> None:
        """Where the sources are by now."""
        self._timer = None
        sessions, self._sessions = self._sessions, set()
        self._keep_all(sessions)

    def _on_wait_timer(self) -> None:
        self._wait_timer = None
        sessions, self._waiting = self._waiting, set()
        self._keep_all(sessions)

    def _keep_all(self, sessions: set[MediaSession]) -> None:
        for session in sessions:
            if session.context is not None:
                self._keep(session.context)


def export_channels(security: Security) -> list[KeptChannel | None] | None:
    """What to keep of the lines of a leg; None: one of them has no keys yet."""
    found: list[KeptChannel | None] = []
    for i, channel in enumerate(security.channels):
        if channel is None or channel.mode is Mode.CLEAR:
            found.append(None)
            continue
        kept = _export(channel)
        if kept is None:
            return None
        found.append((security.mid_at(i), *kept))
    return found


def _export(channel: Channel) -> Kept | None:
    inward, opener, closer = channel.inward, channel.opener, channel.closer
    if inward is None or opener is None or closer is None:
        return None
    places = list(opener.places), list(closer.places)
    if channel.mode is Mode.DTLS:
        association = channel.export()
        return None if association is None else (channel.proto, *places, association)
    [local] = channel.offered
    remote = (local.tag, inward.suite, inward.master, inward.mki)
    return channel.proto, *places, (local[:3], remote)


def take_up_channels(security: Security, guard: Guard, kept: Sequence[Any]) -> None:
    """Give a leg of this process the lines of one of an earlier one; ValueError: they cannot be had."""
    lines = [None if one is None else (one[0], _taken_up(guard, one[1:])) for one in kept]
    security.take_up(lines)


def _taken_up(guard: Guard, kept: Sequence[Any]) -> Channel:
    proto, came, left, keys = kept
    channel = guard.channel()
    channel.proto = proto
    ahead = [Place(ssrc, roc, number, index + _RTCP_AHEAD) for ssrc, roc, number, index in left]
    channel.take_places([Place(*one) for one in came], ahead)
    if len(keys) == len(Association._fields):
        channel.resume(_association(*keys), guard.now())
        return channel
    (tag, suite, master), (its_tag, its_suite, its_master, mki) = keys
    local = Crypto(tag, suite, _octets(master))
    channel.agree_keys(local, Crypto(its_tag, its_suite, _octets(its_master), _octets(mki)))
    return channel


def _association(
    certificate: Sequence[str],
    fingerprints: Sequence[tuple[str, str]],
    is_client: bool,
    suite: str,
    inward: str,
    outward: str,
    face: tuple[str, int],
    agent: Any,
) -> Association:
    """As JSON has it."""
    first, second = certificate
    if agent is not None:
        local, mark, remote, is_controlling = agent
        agent = Credentials(*local), _octets(mark), Credentials(*remote), is_controlling
    prints = tuple([Fingerprint(name, _octets(digest)) for name, digest in fingerprints])
    host, port = face
    masters = _octets(inward), _octets(outward)
    return Association(
        (_octets(first), _octets(second)), prints, is_client, suite, *masters, (host, port), agent
    )


def _octets(text: str) -> bytes:
    return text.encode("latin-1")
