"""What moving a leg from one call to another takes: its offers, its debts, and who hears of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from switchroom.protocols import sdp
from switchroom.switch.calls.leg import Leg

_PRIVATE = (b"a=crypto:", b"a=fingerprint:", b"a=setup:")  # what each end says of its keys


class Sponsor(Protocol):
    """Who wanted the call, and hears what becomes of it."""

    def on_progress(self, status: int, reason: str, now: float) -> None:
        """Somebody rings."""

    def on_joined(self, now: float) -> None:
        """The new call is up; the legs that nobody took are about to be hung up."""

    def keeps(self, leg: Leg, now: float) -> bool:
        """Whether a leg that has lost its other end is seen to; else it gets a BYE."""

    def on_failed(self, status: int, reason: str, now: float) -> None:
        """All is as it was."""


def fitted(leg: Leg, offer: bytes) -> bytes:
    """The offer with no fewer m-lines than the leg's dialog has had (RFC 3264 §8)."""
    had = leg.media.sent.count(b"\r\nm=")
    if offer.count(b"\nm=") >= had:
        return offer
    description = sdp.Description.parse(offer)
    before = sdp.Description.parse(leg.media.sent).media[len(description.media) :]
    gone = tuple(sdp.Media(media.kind, 0, media.proto, media.formats) for media in before)
    return bytes(replace(description, media=description.media + gone))


def settle(leg: Leg, now: float) -> None:
    """What the leg, or its other end, asked for in the old call is not to be had any more."""
    call = leg.call
    for one in (call.a, call.b):
        if one is None:
            continue
        transaction, one.offer_txn, one.retry = one.offer_txn, None, None
        if transaction is not None and transaction.request.method == "INVITE":
            one.session.answer_reinvite(transaction, 491, now)
        elif transaction is not None:
            transaction.respond(491, now)
        if one.owes_answer:
            one.owes_answer = False
            one.session.acknowledge(now)


def keys_of(body: bytes) -> list[bytes]:
    """What a description says of its end's keys."""
    return [line for line in body.split(b"\r\n") if line.startswith(_PRIVATE)]
