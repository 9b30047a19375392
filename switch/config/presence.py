"""[presence] and [messages] of the file: who may watch whom, and which texts wait for whom."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Strict, model_validator

from .checks import Count, Flag, Name, Number
from .sections import Section, key

_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")


def _media_type(text: str) -> str:
    text = text.lower()
    if not _MEDIA_TYPE.fullmatch(text):
        raise ValueError("must be a media type, such as text/plain")
    return text


MediaType = Annotated[str, Strict(), AfterValidator(_media_type)]


class PresenceConfig(Section):
    """Subscriptions to states: busy lamps, presence, waiting messages, registrations (RFC 6665)."""

    min_expires: Count = key("A shorter subscription or publication gets 423.", 60, unit="s", ge=1, le=3600)
    max_expires: Count = key("A longer one is shortened to this.", 3600, unit="s", ge=1, le=604800)
    default_expires: Count = key(
        "For a phone that asks for no time; at most max_expires.", 3600, unit="s", ge=1, le=604800
    )
    max_subscriptions: Count = key("Subscriptions at once; the next gets 503.", 50_000, ge=0, le=10_000_000)
    max_subscriptions_per_user: Count = key(
        "Subscriptions at once that one user's phones may hold together.", 200, ge=0, le=100_000
    )
    max_publications_per_user: Count = key(
        "States that one user's phones may have published at once.", 10, ge=0, le=1000
    )
    max_document_size: Count = key(
        "The largest state that a phone may publish; a larger one gets 413.",
        8192,
        unit="octets",
        ge=256,
        le=65536,
    )
    notify_interval: Number = key(
        "The least time between two NOTIFYs of one subscription; the later one tells the latest state.",
        0.2,
        unit="s",
        ge=0,
        le=3600,
    )
    watchers: list[Name] = key(
        "The users who may watch others. Empty: every user. Their own state all may watch.",
        list,
        max_length=10_000,
    )
    hidden: list[Name] = key("The users whom nobody else may watch.", list, max_length=10_000)
    show_parties: Flag = key("Whether a busy lamp tells who is in the call, or only that there is one.", True)

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        if self.min_expires > self.max_expires:
            raise ValueError(
                f"max_expires: {self.max_expires}: must not be less than min_expires, {self.min_expires}"
            )
        return self


class MessagesConfig(Section):
    """Texts between phones (SIP MESSAGE, RFC 3428), kept for those who are not there."""

    max_size: Count = key("The largest text; a larger one gets 413.", 8192, unit="octets", ge=160, le=60_000)
    content_types: list[MediaType] = key(
        "What texts may be; another type gets 415. Signs of typing always pass and are never kept.",
        lambda: ["text/plain", "text/html"],
        min_length=1,
        max_length=32,
    )
    user_rate: Number = key(
        "Texts a second from one user or trunk; beyond that: 503.", 5.0, unit="1/s", gt=0, le=100_000
    )
    keep: Count = key(
        "How long a text waits for its user, at most. Its sender may ask for less (Expires).",
        604_800,
        unit="s",
        ge=60,
        le=31_536_000,
    )
    max_waiting: Count = key("Texts that may wait in all; the next gets 503.", 20_000, ge=0, le=10_000_000)
    max_waiting_per_user: Count = key("Texts that may wait for one user.", 500, ge=0, le=1_000_000)
    answer_timeout: Number = key(
        "How long the phones have to take a text before it is kept, and its sender told so (202).",
        5.0,
        unit="s",
        gt=0,
        le=25,
    )
    retry_interval: Number = key(
        "How long after a failure the next attempt is made; each further one takes twice as long, up to an "
        "hour. A new registration is an attempt at once.",
        30.0,
        unit="s",
        ge=1,
        le=3600,
    )
