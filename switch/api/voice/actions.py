"""What a TwiML document wants done, one thing after the other, and what is told of it; values only."""

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
class Fetch:
    """Ask a server, with these parameters besides those of the call; a ``Page`` is told, or FetchError."""

    url: str
    method: str = "POST"
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What a server answered."""

    url: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Take the call."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a text; 0 loops: without an end."""

    text: str
    voice: str = ""
    language: str = ""
    loops: int = 1


@dataclass(frozen=True, slots=True)
class Play:
    """Play what an address has."""

    url: str
    loops: int = 1


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys."""

    keys: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing, for so many seconds."""

    seconds: float


Prompt = Say | Play | Wait


@dataclass(frozen=True, slots=True)
class Gather:
    """Collect keys; ``Keys`` are told."""

    prompts: tuple[Prompt, ...]
    count: int | None
    finish_on: str
    timeout: float
    is_interruptible: bool = True
    hears_keys: bool = True
    hears_speech: bool = False
    language: str = "en-US"
    speech_timeout: float = 0.0  # of silence after speech; 0: as it seems right
    max_speech: float = 60.0


@dataclass(frozen=True, slots=True)
class Keys:
    """What was pressed, and what ended it; or what was said, and how sure that is."""

    digits: str
    finished_on: str = ""
    speech: str = ""
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Tell:
    """Where a server is told of something, and of what."""

    url: str = ""
    method: str = "POST"
    events: tuple[str, ...] = ("completed",)


@dataclass(frozen=True, slots=True)
class Record:
    """Record what is said; ``Recorded`` is told, or None when nothing was."""

    silence: float = 5.0
    finish_on: str = "1234567890*#"
    max_length: float = 3600.0
    has_beep: bool = True
    is_trimmed: bool = True
    tell: Tell = Tell()
    is_transcribed: bool = False
    transcript: Tell = Tell()  # who gets the text


@dataclass(frozen=True, slots=True)
class Refer:
    """Ask the caller's phone to call somebody else; ``Sent`` is told."""

    uri: str


@dataclass(frozen=True, slots=True)
class Sent:
    """How the phone has answered, and what it told of the call; 0: nothing."""

    status: int
    told: int

    def params(self) -> tuple[tuple[str, str], ...]:
        """As the action's server is told."""
        is_done = 200 <= self.told < 300
        found = [
            ("ReferCallStatus", "completed" if is_done else "failed" if self.status >= 300 else "in-progress")
        ]
        found.append(("ReferSipResponseCode", str(self.status)))
        if self.told:
            found.append(("NotifySipResponseCode", str(self.told)))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording that is there."""

    sid: str
    url: str
    seconds: int
    ended_by: str  # a key, or hangup

    def params(self) -> tuple[tuple[str, str], ...]:
        """As the action's server is told."""
        return (
            ("RecordingSid", self.sid),
            ("RecordingUrl", self.url),
            ("RecordingDuration", str(self.seconds)),
            ("Digits", self.ended_by),
        )


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
class Dial:
    """Call somebody, or meet who is there, and talk; ``Dialled`` is told."""

    callees: tuple[Callee, ...] = ()
    conference: ConferenceWish | None = None
    queue: QueueWish | None = None
    timeout: float = 30.0
    time_limit: float = 14400.0
    caller_id: str = ""
    is_sequential: bool = False
    hangs_up_on_star: bool = False
    answers_on_bridge: bool = False
    country: str = "us"  # of the ringing tone
    record: str = ""  # from when, and how many channels
    is_trimmed: bool = False
    tell: Tell = Tell()  # of the recording
    may_refer: bool = False  # whoever is called may send the caller elsewhere


@dataclass(frozen=True, slots=True)
class Dialled:
    """What became of it."""

    status: str  # completed, busy, no-answer, failed, canceled
    sid: str = ""
    duration: int | None = None
    is_bridged: bool = False
    more: tuple[tuple[str, str], ...] = ()
    referred: str = ""  # where whoever was called has sent the caller

    def params(self) -> tuple[tuple[str, str], ...]:
        """As the action's server is told."""
        found = [("DialCallStatus", self.status), ("DialBridged", str(self.is_bridged).lower())]
        if self.sid:
            found.append(("DialCallSid", self.sid))
        if self.duration is not None:
            found.append(("DialCallDuration", str(self.duration)))
        return (*found, *self.more)


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
    tell: Tell = Tell()  # of the recording


@dataclass(frozen=True, slots=True)
class QueueWish:
    """Who is first in a queue, and what he hears before the two talk."""

    name: str
    url: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Wait in a queue; ``Dequeued`` is told."""

    name: str
    wait: Place | None = None
    max_size: int = 1000


@dataclass(frozen=True, slots=True)
class Dequeued:
    """Why somebody waits no more."""

    result: str  # bridged, leave, hangup, queue-full, redirected, error
    sid: str = ""
    seconds: int = 0
    place: Place | None = None  # where the call goes on

    def params(self) -> tuple[tuple[str, str], ...]:
        """As the action's server is told."""
        return ("QueueResult", self.result), ("QueueSid", self.sid), ("QueueTime", str(self.seconds))


@dataclass(frozen=True, slots=True)
class Leave:
    """Wait in the queue no more."""


@dataclass(frozen=True, slots=True)
class StreamWish:
    """An application that is to have the sound of a call."""

    url: str
    name: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    callback: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Connect:
    """Let an application talk with the caller; its SID is told at the end."""

    stream: StreamWish


@dataclass(frozen=True, slots=True)
class StartStream:
    """Let an application listen from now on."""

    stream: StreamWish


@dataclass(frozen=True, slots=True)
class StopStream:
    """No more."""

    name: str


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Record the call from now on."""

    channels: int
    tell: Tell


@dataclass(frozen=True, slots=True)
class Text:
    """Send a message; whether that was possible is told to nobody but the log."""

    body: str
    to: str = ""
    sender: str = ""
    media: tuple[str, ...] = ()
    callback: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse a call that was not taken."""

    is_busy: bool = False


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


@dataclass(frozen=True, slots=True)
class Complain:
    """Something in a document is wrong or cannot be done here; the code is that of the documents."""

    code: int
    message: str


Heard = Answer | Say | Play | Press | Wait | Gather | Record
Connected = Dial | Refer | Enqueue | Leave | Connect | StartStream | StopStream | StartRecording
Action = Fetch | Heard | Connected | Text | Reject | HangUp | Complain
