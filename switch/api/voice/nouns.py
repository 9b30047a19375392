"""What nouns name: whom Dial calls, a conference or a queue, a stream, a transcription."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from switchroom.switch.calls.routing import Credentials

from ..twiml.document import TwimlError
from ..twiml.parse import Verb
from ..wire.sids import is_sid
from .actions import Record
from .wishes import (
    Callee,
    CaptionsWish,
    ConferenceWish,
    Detection,
    Place,
    QueueWish,
    StreamWish,
    Tell,
)

MAX_CALLEES = 10
MAX_NAME = 128
BEEPS = {"true": ("enter", "exit"), "false": (), "onEnter": ("enter",), "onExit": ("exit",)}
TRACKS = {
    "inbound_track": ("inbound",),
    "outbound_track": ("outbound",),
    "both_tracks": ("inbound", "outbound"),
}
_MAX_URI = 1024
_MAX_RECORDED, _MAX_UNDERSTOOD = 3600.0, 120.0  # seconds, where nothing is said of that


def callees_of(verb: Verb, where: Callable[[str], str]) -> tuple[Callee, ...]:
    """Those whom Dial is to call; TwimlError: one of them cannot be called."""
    found = [Callee("number", verb.text)] if verb.text else []
    for place, child in enumerate(verb.children, 1):
        if child.name not in ("Number", "Sip", "Client"):
            raise TwimlError(13215, f"Dial: {child.name} cannot be called here")
        uris = [one for one in child.children if child.name == "Sip" and one.name == "Uri"]
        for uri in uris or (None,):
            found.append(_callee(child, uri, place, where))
    if len(found) > MAX_CALLEES:
        raise TwimlError(13250, f"Dial: more than {MAX_CALLEES} at once")
    return tuple(found)


def place_of(noun: Verb, name: str, where: Callable[[str], str], method: str = "") -> Place | None:
    """The document that is heard while somebody waits; None: nothing is said of it."""
    url = noun[name]
    if url is None:
        return None
    return Place(where(url) if url else "", noun[method or name.replace("Url", "Method")])


def recording_of(noun: Verb, where: Callable[[str], str]) -> Tell:
    """Who is told of a recording."""
    url = noun["recordingStatusCallback"]
    events = noun["recordingStatusCallbackEvent"]
    return Tell(where(url) if url else "", noun["recordingStatusCallbackMethod"], events)


def record_of(verb: Verb, where: Callable[[str], str]) -> Record:
    """How Record is to be carried out."""
    callback = verb["transcribeCallback"]
    is_understood = verb["transcribe"] or bool(callback)
    return Record(
        float(verb["timeout"]),
        verb["finishOnKey"],
        float(verb["maxLength"] or (_MAX_UNDERSTOOD if is_understood else _MAX_RECORDED)),
        verb["playBeep"],
        verb["trim"] == "trim-silence",
        recording_of(verb, where),
        is_understood,
        Tell(where(callback) if callback else ""),
    )


def conference_of(verb: Verb, where: Callable[[str], str]) -> ConferenceWish | None:
    """The conference that Dial leads to, or None."""
    noun = _only(verb, "Conference")
    if noun is None:
        return None
    if not 0 < len(noun.text) <= MAX_NAME:
        raise TwimlError(13237, f"Dial->Conference: its name has 1 to {MAX_NAME} characters")
    label = noun["participantLabel"] or ""
    if "/" in label or is_sid(label, "CA"):
        raise TwimlError(16023, "Dial->Conference: participantLabel: is no label")
    if noun["coach"] and not is_sid(noun["coach"], "CA"):
        raise TwimlError(13240, "Dial->Conference: coach: is not the SID of a call")
    callback = noun["statusCallback"]
    return ConferenceWish(
        noun.text,
        is_muted=noun["muted"],
        beeps=BEEPS[noun["beep"]],
        can_start=noun["startConferenceOnEnter"],
        ends_on_exit=noun["endConferenceOnExit"],
        label=label,
        wait=place_of(noun, "waitUrl", where),
        max_participants=noun["maxParticipants"],
        is_recorded=noun["record"] in ("record-from-start", "true"),
        is_trimmed=noun["trim"] == "trim-silence",
        coached=noun["coach"] or "",
        callback=Tell(
            where(callback) if callback else "", noun["statusCallbackMethod"], noun["statusCallbackEvent"]
        ),
        tell=recording_of(noun, where),
    )


def queue_of(verb: Verb, where: Callable[[str], str]) -> QueueWish | None:
    """The queue that Dial takes somebody from, or None."""
    noun = _only(verb, "Queue")
    if noun is None:
        return None
    if not 0 < len(noun.text) <= MAX_NAME:
        raise TwimlError(13223, f"Dial->Queue: its name has 1 to {MAX_NAME} characters")
    return QueueWish(noun.text, where(noun["url"]) if noun["url"] else "", noun["method"])


def stream_of(noun: Verb, where: Callable[[str], str], *, is_two_way: bool) -> StreamWish:
    """The application that a Stream leads to; TwimlError: it cannot have what it is to have."""
    if noun["audioFormat"] != "audio/x-mulaw" or noun["sampleRate"] != 8000:
        raise TwimlError(31941, "Stream: only µ-law of 8000 Hz is there")
    if is_two_way and noun["track"] != "inbound_track":
        raise TwimlError(31941, "Stream: track: Connect has the inbound track alone")
    if not noun["url"]:
        raise TwimlError(31920, "Stream: url is required")
    callback = noun["statusCallback"]
    return StreamWish(
        noun["url"],
        noun["name"] or "",
        {child["name"] or "": child["value"] or "" for child in noun.children},
        where(callback) if callback else "",
        noun["statusCallbackMethod"],
        TRACKS[noun["track"]],
    )


def captions_of(noun: Verb, where: Callable[[str], str]) -> CaptionsWish:
    """Whose words a Transcription wants."""
    callback, tracks = noun["statusCallbackUrl"], TRACKS[noun["track"]]
    labels = {"inbound": noun["inboundTrackLabel"], "outbound": noun["outboundTrackLabel"]}
    return CaptionsWish(
        Tell(where(callback) if callback else "", noun["statusCallbackMethod"]),
        noun["name"] or "",
        tracks,
        noun["languageCode"],
        noun["partialResults"],
        noun["hints"] or "",
        tuple([labels[track] or "" for track in tracks]),
    )


def _only(verb: Verb, name: str) -> Verb | None:
    noun = verb.first(name)
    if noun is not None and len(verb.children) > 1:
        raise TwimlError(13215, f"Dial: {name} may not stand beside others")
    return noun


def _callee(noun: Verb, uri: Verb | None, place: int, where: Callable[[str], str]) -> Callee:
    """``uri``: the one of several of a Sip that is meant."""
    name = noun.text if uri is None else uri.text
    if noun.name == "Client" and (identity := noun.first("Identity")) is not None:
        name = identity.text
    if noun.name == "Sip":
        name = _uri(noun, name)
    if not name:
        raise TwimlError(13223, f"Dial->{noun.name}: nobody is named")
    return Callee(
        noun.name.lower(),
        name,
        url=where(noun["url"]) if noun["url"] else "",
        method=noun["method"],
        keys=noun.attributes.get("sendDigits") or "",
        callback=where(noun["statusCallback"]) if noun["statusCallback"] else "",
        callback_method=noun["statusCallbackMethod"],
        callback_events=noun["statusCallbackEvent"],
        detection=_detection(noun, where) if noun.name != "Client" else None,
        credentials=_credentials(noun, uri) if noun.name == "Sip" else None,
        noun=place,
        priority=10 if uri is None else uri["priority"],
        weight=10 if uri is None else uri["weight"],
    )


def _uri(noun: Verb, name: str) -> str:
    """With the headers that are to be sent."""
    if (headers := noun.first("Headers")) is not None:
        given = urlencode([(one["name"] or "", one["value"] or "") for one in headers.children])
        name += ("&" if "?" in name else "?") + given
    if not name.lower().startswith(("sip:", "sips:")) or len(name) > _MAX_URI:
        raise TwimlError(13243, "Dial->Sip: is not a SIP URI")
    return name


def _credentials(noun: Verb, uri: Verb | None) -> Credentials | None:
    """Those of a Uri come before those of the Sip that it is in."""
    source = noun if uri is None or not uri["username"] else uri
    username, password = source["username"] or "", source["password"] or ""
    if not username and not password:
        return None
    if not (username and password and username.isprintable() and password.isprintable()):
        raise TwimlError(13249, "Dial->Sip: username and password: both, in printable characters")
    return Credentials(username, password)


def _detection(noun: Verb, where: Callable[[str], str]) -> Detection | None:
    wanted = noun["machineDetection"]
    if wanted not in ("Enable", "DetectMessageEnd"):
        return None
    return Detection(
        wanted == "DetectMessageEnd",
        noun["machineDetectionTimeout"],
        noun["machineDetectionSpeechThreshold"] / 1000,
        noun["machineDetectionSpeechEndThreshold"] / 1000,
        noun["machineDetectionSilenceTimeout"] / 1000,
        where(noun["amdStatusCallback"]) if noun["amdStatusCallback"] else "",
        noun["amdStatusCallbackMethod"],
        is_beside=True,
    )
