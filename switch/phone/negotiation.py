"""The descriptions of one call: what we offer and answer, and what came of it; RFC 3264."""

from __future__ import annotations

import secrets

from switchroom.protocols import sdp

from .agreement import Agreement, agree

__all__ = ["Negotiation"]


class Negotiation:
    """Both ends' descriptions as they stand; every body is checked before it counts."""

    def __init__(self, host: str, port: int, codecs: tuple[str, ...]) -> None:
        family = "IP6" if ":" in host else "IP4"
        self._origin = sdp.Origin("-", secrets.randbits(62), 0, family, host)
        self._connection = sdp.Connection(family, host)
        self._port = port
        self._codecs = codecs
        self._direction = sdp.Direction.SENDRECV  # what we are willing to
        self._local: sdp.Description | None = None
        self._remote: sdp.Description | None = None
        # what counts again when an offer of ours is refused
        self._before: tuple[sdp.Direction, sdp.Description | None] = self._direction, None
        self.is_answer_in_ack = False  # our offer went in a 2xx; RFC 3261 §13.2.1

    @property
    def has_answer(self) -> bool:
        return self._remote is not None

    @property
    def codec(self) -> str:
        """The name of the codec that is spoken."""
        if self._local is None or self._remote is None:
            return "-"
        return agree(self._local, self._remote).codec.format.name

    @property
    def is_held(self) -> bool:
        """Whether the other end wants to hear nothing."""
        remote = self._remote
        return remote is not None and not any(
            remote.direction_of(media).can_receive and not _is_null(remote, media)
            for media in remote.media
            if not media.is_rejected
        )

    def offer(self, direction: sdp.Direction | None = None) -> bytes:
        """Offer what we are willing to, from now on perhaps something else; streams stay as agreed on."""
        self._before = self._direction, self._local
        self._direction = direction or self._direction
        if self._local is None:
            self._local = sdp.make_offer(self._capabilities())
        else:
            self._local = sdp.make_reoffer(self._local, self._direction)
            self._origin = self._local.origin
        return bytes(self._local)

    def withdraw(self) -> None:
        """The last offer was refused: what was agreed before stays."""
        self._direction, self._local = self._before

    def respond(self, body: bytes) -> tuple[bytes, Agreement | None]:
        """Return the answer to their offer and what it means, or our offer if they made none."""
        if not body:
            self.is_answer_in_ack = True
            return self.offer(), None
        offer = sdp.Description.parse(body)
        local = sdp.make_answer(offer, self._capabilities())
        agreement = agree(local, offer)
        self._local, self._remote = local, offer
        return bytes(local), agreement

    def take_answer(self, body: bytes) -> Agreement:
        """Take the answer to our offer; RemoteProtocolError when it is none."""
        assert self._local is not None
        answer = sdp.Description.parse(body)
        sdp.answers(self._local, answer)
        agreement = agree(self._local, answer)
        self._remote = answer
        return agreement

    def _capabilities(self) -> sdp.Capabilities:
        stream = sdp.Capability(self._port, self._codecs, direction=self._direction)
        self._origin = self._origin._replace(version=self._origin.version + 1)
        return sdp.Capabilities(self._origin, self._connection, (stream,))


def _is_null(remote: sdp.Description, media: sdp.Media) -> bool:
    connection = remote.connection_of(media)
    return connection is not None and connection.is_null
