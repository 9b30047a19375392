"""What a TwiML document wants done, one thing after the other, and what is told of it; values only."""

from __future__ import annotations

from dataclasses import dataclass

from .wishes import NOBODY, Callee, CaptionsWish, ConferenceWish, Place, QueueWish, StreamWish, Tell


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask a server, with these parameters besides those of the call; a ``Page`` is told, or FetchError."""

    url: str
    method: str = "POST"
    params: tuple[tuple[str, str], ...] = ()
    is_report: bool = False  # of what came of a verb: wanted also when the call is over


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
    partial: Tell = NOBODY  # who is told what was understood until then
    hints: str = ""


@dataclass(frozen=True, slots=True)
class Keys:
    """What was pressed, and what ended it; or what was said, and how sure that is."""

    digits: str
    finished_on: str = ""
    speech: str = ""
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Record:
    """Record what is said; ``Recorded`` is told, or None when nothing was."""

    silence: float = 5.0
    finish_on: str = "1234567890*#"
    max_length: float = 3600.0
    has_beep: bool = True
    is_trimmed: bool = True
    tell: Tell = NOBODY
    is_transcribed: bool = False
    transcript: Tell = NOBODY  # who gets the text


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
    track: str = "both"  # that is recorded
    tell: Tell = NOBODY  # of the recording
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
    is_trimmed: bool = False
    track: str = "both"


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Record it no more."""


@dataclass(frozen=True, slots=True)
class StartCaptions:
    """Have what is said written down from now on, and told."""

    captions: CaptionsWish


@dataclass(frozen=True, slots=True)
class StopCaptions:
    """No more."""

    name: str


@dataclass(frozen=True, slots=True)
class Echo:
    """Let the party hear itself, to the end of the call."""


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

    is_failure: bool = False  # there is no document that could be used


@dataclass(frozen=True, slots=True)
class Complain:
    """Something in a document is wrong or cannot be done here; the code is that of the documents."""

    code: int
    message: str


Heard = Answer | Say | Play | Press | Wait | Gather | Record | Echo
Connected = Dial | Refer | Enqueue | Leave | Connect
Beside = StartStream | StopStream | StartRecording | StopRecording | StartCaptions | StopCaptions
Action = Fetch | Heard | Connected | Beside | Text | Reject | HangUp | Complain
