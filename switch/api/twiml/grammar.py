"""The grammar of TwiML: which attributes each verb and noun has, and what may stand in it."""

from __future__ import annotations

from dataclasses import dataclass

from .attributes import (
    Attribute,
    choice,
    count,
    count_or_auto,
    digits,
    flag,
    method,
    text,
    url,
    words,
)

_KEYS = "0123456789*#"
_DIALLED = _KEYS + "wWABCDabcd,"
_SPEECH = (
    *("break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"),
    *("ssml:break", "ssml:emphasis", "ssml:lang", "ssml:p", "ssml:phoneme", "ssml:prosody", "ssml:s"),
    *("ssml:say-as", "ssml:sub", "ssml:w"),
)
_EVENTS = ("initiated", "ringing", "answered", "completed")
_RECORDED = ("in-progress", "completed", "absent")
_DETECTION = (
    text("machineDetection"),
    count("machineDetectionTimeout", 30, 3, 120),
    count("machineDetectionSpeechThreshold", 2400, 1000, 6000),
    count("machineDetectionSpeechEndThreshold", 1200, 500, 5000),
    count("machineDetectionSilenceTimeout", 5000, 2000, 10000),
    url("amdStatusCallback"),
    method("amdStatusCallbackMethod"),
)


def _callbacks(*events: str, default: tuple[str, ...] = ("completed",)) -> tuple[Attribute, ...]:
    return (
        url("statusCallback"),
        method("statusCallbackMethod"),
        words("statusCallbackEvent", default, *events),
    )


def _recording(code: int = 13256) -> tuple[Attribute, ...]:
    return (
        url("recordingStatusCallback", code=code),
        method("recordingStatusCallbackMethod"),
        words("recordingStatusCallbackEvent", ("completed",), *_RECORDED, code=13621),
        text("recordingConfigurationId"),
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """What is known of an element."""

    attributes: tuple[Attribute, ...] = ()
    children: tuple[str, ...] = ()
    nesting_code: int = 12200  # for a child that may not stand there
    takes_markup: bool = False  # children are markup for speech, and only their words count
    passed_over: tuple[str, ...] = ()  # children that are not there, and without which the rest can be done


_TRACK = choice("track", "inbound_track", "inbound_track", "outbound_track", "both_tracks", code=31941)
_TALK = ("Say", "Play", "Pause")
_ACTION = (url("action"), method("method"))

VOICE = (
    *("Say", "Play", "Gather", "Dial", "Record", "Redirect", "Hangup", "Pause", "Reject", "Enqueue", "Leave"),
    *("Connect", "Start", "Stop", "Refer", "Sms", "Message", "Echo"),
)
MESSAGING = ("Message", "Redirect", "Sms")
_NO_MODEL = "no language model is behind Connect here: Stream leads to one of yours"
ABSENT = {  # what is known of the language and not there: the code and why
    "Pay": (64002, "there are no payments here"),
    "Prompt": (64002, "there are no payments here"),
    "Siprec": (12200, "no SIPREC recorder can be had: Recording and Stream are there"),
    "ConversationRelay": (12200, _NO_MODEL),
    "ConversationRelaySession": (12200, _NO_MODEL),
    "AiSession": (12200, _NO_MODEL),
    "VirtualAgent": (12200, _NO_MODEL),
    "Autopilot": (12200, _NO_MODEL),
    "Conversation": (12200, "there are no conversations here"),
    "Room": (12200, "there is no video here"),
    "Application": (13215, "an application of another account cannot be dialled: Client and Number can"),
    "Sim": (13215, "there are no SIM cards to call: Number and Client are there"),
    "WhatsApp": (13215, "there is no WhatsApp here"),
}

RULES: dict[str, Rule] = {
    "Say": Rule(
        (text("voice", code=13511), count("loop", 1, 0, 1000, 13510), text("language", code=13512)),
        _SPEECH,
        takes_markup=True,
    ),
    "Play": Rule((count("loop", 1, 0, 1000, 13410), digits("digits", _DIALLED, code=13410))),
    "Pause": Rule((count("length", 1, 0, 14400, 13910),)),
    "Hangup": Rule((), ("Parameter",)),
    "Reject": Rule((choice("reason", "rejected", "rejected", "busy", code=13810),), ("Parameter",)),
    "Redirect": Rule((method("method", code=13710),)),
    "Leave": Rule(),
    "Echo": Rule(),
    "Gather": Rule(
        (
            words("input", ("dtmf",), "dtmf", "speech", code=13326),
            url("action"),
            method("method", code=13312),
            count_or_auto("timeout", 5, 0, 600, 13313),
            count_or_auto("speechTimeout", None, 0, 600, 13327),
            count("maxSpeechTime", 60, 1, 60, 13328),
            flag("profanityFilter", True, 13333),
            digits("finishOnKey", _KEYS, "#", 13310),
            count("numDigits", None, 1, 1000, 13314),
            url("partialResultCallback"),
            method("partialResultCallbackMethod", code=13329),
            text("language", "en-US", 13331),
            text("hints", code=13330),
            flag("bargeIn", True, 13332),
            flag("debug"),
            flag("actionOnEmptyResult"),
            text("speechModel", code=13334),
            flag("enhanced"),
        ),
        _TALK,
        13320,
    ),
    "Record": Rule(
        (
            url("action"),
            method("method", code=13610),
            count("timeout", 5, 0, 3600, 13611),
            digits("finishOnKey", _KEYS, _KEYS, 13613),
            count("maxLength", None, 1, 14400, 13612),
            flag("playBeep", True, 13616),
            choice("trim", "trim-silence", "trim-silence", "do-not-trim"),
            *_recording(),
            flag("transcribe", False, 13614),
            url("transcribeCallback", code=13257),
        )
    ),
    "Dial": Rule(
        (
            url("action"),
            method("method", code=13210),
            count("timeout", 30, 1, 600, 13212),
            flag("hangupOnStar", False, 13213),
            count("timeLimit", 14400, 1, 86400, 13216),
            text("callerId", code=13214, max_size=256),
            choice(
                *("record", "do-not-record", "do-not-record", "record-from-answer", "record-from-ringing"),
                *("record-from-answer-dual", "record-from-ringing-dual", "true", "false"),
                code=13217,
            ),
            choice("trim", "do-not-trim", "trim-silence", "do-not-trim"),
            *_recording(),
            flag("answerOnBridge", False, 13219),
            text("ringTone", code=13220, max_size=16),
            choice("recordingTrack", "both", "both", "inbound", "outbound"),
            flag("sequential", False, 13218),
            url("referUrl"),
            method("referMethod"),
            text("events"),
            text("callReason", max_size=50),
        ),
        ("Number", "Sip", "Client", "Conference", "Queue"),
        13215,
    ),
    "Number": Rule(
        (
            digits("sendDigits", _DIALLED, code=13222),
            url("url"),
            method("method", code=13221),
            *_callbacks(*_EVENTS),
            text("byoc"),
            *_DETECTION,
        )
    ),
    "Sip": Rule(
        (
            text("username", code=13249, max_size=255),
            text("password", code=13249, max_size=255),
            digits("sendDigits", _DIALLED, code=13242),
            url("url"),
            method("method", code=13241),
            *_callbacks(*_EVENTS),
            *_DETECTION,
        ),
        ("Uri", "Headers"),
        13243,
    ),
    "Uri": Rule(
        (
            count("priority", 10, 0, 65535),
            count("weight", 10, 0, 65535),
            text("username", code=13249, max_size=255),
            text("password", code=13249, max_size=255),
        )
    ),
    "Headers": Rule((), ("Header",), 13252),
    "Header": Rule((text("name", code=13252, max_size=128), text("value", code=13253, max_size=1024))),
    "Client": Rule((url("url"), method("method"), *_callbacks(*_EVENTS)), ("Identity", "Parameter"), 13215),
    "Identity": Rule(),
    "Parameter": Rule((text("name", max_size=256), text("value", max_size=1024))),
    "Conference": Rule(
        (
            flag("muted", False, 13230),
            choice("beep", "true", "true", "false", "onEnter", "onExit", code=13235),
            flag("startConferenceOnEnter", True, 13232),
            flag("endConferenceOnExit", False, 13231),
            text("participantLabel", code=16023, max_size=128),
            choice("jitterBufferSize", "large", "large", "medium", "small", "off"),
            url("waitUrl", code=13233),
            method("waitMethod", code=13234),
            count("maxParticipants", 250, 2, 250),
            choice(
                "record", "do-not-record", "do-not-record", "record-from-start", "true", "false", code=13217
            ),
            text("region"),
            choice("trim", "trim-silence", "trim-silence", "do-not-trim", code=13239),
            text("coach", code=13240, max_size=34),
            *_callbacks(
                *("start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"),
                default=("start", "end"),
            ),
            *_recording(),
            url("eventCallbackUrl"),
        )
    ),
    "Queue": Rule((url("url"), method("method"), text("reservationSid"), text("postWorkActivitySid"))),
    "Enqueue": Rule(
        (
            *_ACTION,
            url("waitUrl"),
            method("waitUrlMethod"),
            count("maxQueueSize", 1000, 1, 5000),
            text("workflowSid"),
        ),
        ("Task",),
    ),
    "Task": Rule((count("priority", 0, 0, 1_000_000), count("timeout", None, 1, 1_209_600))),
    "Connect": Rule(_ACTION, ("Stream",)),
    "Start": Rule(_ACTION, ("Stream", "Recording", "Transcription"), passed_over=("Siprec",)),
    "Stop": Rule((), ("Stream", "Recording", "Transcription"), passed_over=("Siprec",)),
    "Transcription": Rule(
        (
            text("name", max_size=256),
            choice("track", "both_tracks", "inbound_track", "outbound_track", "both_tracks", code=31941),
            url("statusCallbackUrl"),
            method("statusCallbackMethod"),
            text("inboundTrackLabel", max_size=256),
            text("outboundTrackLabel", max_size=256),
            flag("partialResults"),
            text("languageCode", "en-US"),
            text("transcriptionEngine"),
            flag("profanityFilter", True),
            text("speechModel"),
            text("hints"),
            flag("enableAutomaticPunctuation", True),
            text("intelligenceService"),
        ),
        ("Config",),
    ),
    "Config": Rule((text("name", max_size=256), text("value", max_size=1024))),
    "Stream": Rule(
        (
            text("name", max_size=256),
            text("connectorName"),
            url("url"),
            _TRACK,
            url("statusCallback"),
            method("statusCallbackMethod"),
            choice("audioFormat", "audio/x-mulaw", "audio/x-mulaw", "audio/x-l16"),
            count("sampleRate", 8000, 8000, 48000),
        ),
        ("Parameter",),
    ),
    "Recording": Rule(
        (
            url("recordingStatusCallback", code=13256),
            method("recordingStatusCallbackMethod"),
            words("recordingStatusCallbackEvent", ("completed",), *_RECORDED, code=13621),
            choice("trim", "do-not-trim", "trim-silence", "do-not-trim"),
            choice("track", "both", "both", "inbound", "outbound"),
            choice("channels", "dual", "dual", "mono"),
        )
    ),
    "Refer": Rule(_ACTION, ("Sip", "ReferSip")),
    "ReferSip": Rule(),
    "Message": Rule(
        (
            text("to", code=14101, max_size=64),
            text("from", code=14102, max_size=64),
            url("action", code=14105),
            method("method", code=14104),
            url("statusCallback", code=14105),
        ),
        ("Body", "Media"),
        14110,
    ),
    "Sms": Rule(
        (
            text("to", code=14101, max_size=64),
            text("from", code=14102, max_size=64),
            url("action", code=14105),
            method("method", code=14104),
            url("statusCallback", code=14105),
        )
    ),
    "Body": Rule(),
    "Media": Rule(),
}
