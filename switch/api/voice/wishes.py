"""What nouns of TwiML describe: whom to call, where to meet, who is told of what; values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Credentials


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document comes from; with ``twiml`` it is here already."""

    url: str = ""
    method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    twiml: str = ""


@dataclass(frozen=True, slots=True)
class Tell:
    """Where a server is told of something, and of what."""

    url: str = ""
    method: str = "POST"
    events: tuple[str, ...] = ("completed",)


NOBODY = Tell()


@dataclass(frozen=True, slots=True)
class Detection:
    """How it is found out whether a machine has answered, and who is told; times in seconds."""

    to_end: bool = False  # of its greeting
    timeout: float = 30.0
    speech: float = 2.4
    pause: float = 1.2
    silence: float = 5.0
    url: str = ""
    method: str = "POST"
    is_beside: bool = False  # the call goes on meanwhile


@dataclass(frozen=True, slots=True)
class Callee:
    """Somebody to call."""

    kind: str  # number, sip or client
    name: str
    url: str = ""  # whose document is heard before the two talk
    method: str = "POST"
    keys: str = ""  # to press after the answer
    callback: str = ""
    callback_method: str = "POST"
    callback_events: tuple[str, ...] = ("completed",)
    detection: Detection | None = None
    credentials: Credentials | None = None  # if it asks for digest
    noun: int = 0  # of which it is one: those of one are called one after the other
    priority: int = 10  # among them, the lower first
    weight: int = 10  # its share among those of one priority


@dataclass(frozen=True, slots=True)
class ConferenceWish:
    """How somebody takes part in a conference."""

    name: str
    is_muted: bool = False
    beeps: tuple[str, ...] = ("enter", "exit")
    can_start: bool = True  # else it waits for somebody who can
    ends_on_exit: bool = False
    label: str = ""
    wait: Place | None = None  # what is heard before the start; None: music; without an address: nothing
    max_participants: int = 250
    is_recorded: bool = False
    is_trimmed: bool = True
    coached: str = ""  # the call that alone hears it
    callback: Tell = Tell(events=("start", "end"))
    tell: Tell = NOBODY  # of the recording


@dataclass(frozen=True, slots=True)
class QueueWish:
    """Who is first in a queue, and what he hears before the two talk."""

    name: str
    url: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class StreamWish:
    """An application that is to have the sound of a call."""

    url: str
    name: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    callback: str = ""
    method: str = "POST"
    tracks: tuple[str, ...] = ("inbound",)


@dataclass(frozen=True, slots=True)
class CaptionsWish:
    """Whose words are to be written down while the call goes on, and who is told."""

    tell: Tell
    name: str = ""
    tracks: tuple[str, ...] = ("inbound", "outbound")
    language: str = "en-US"
    has_partials: bool = False
    hints: str = ""
    labels: tuple[str, ...] = ()  # of the tracks, in their order
