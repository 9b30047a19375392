"""The course of a call through its documents: verbs in, actions out. No socket, no clock, no task.

A generator: it yields an action, and is sent what came of it. ``FetchError`` and ``TwimlError`` are thrown
into it by whoever could not carry an action out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from ..twiml.document import TwimlError
from ..twiml.parse import Verb, parse_voice
from ..webhooks.fetch import FetchError
from .actions import (
    Action,
    Answer,
    Complain,
    Connect,
    Dequeued,
    Dial,
    Dialled,
    Echo,
    Enqueue,
    Fetch,
    Gather,
    HangUp,
    Keys,
    Leave,
    Page,
    Play,
    Press,
    Prompt,
    Recorded,
    Refer,
    Reject,
    Say,
    Sent,
    StartCaptions,
    StartRecording,
    StartStream,
    StopCaptions,
    StopRecording,
    StopStream,
    Text,
    Wait,
)
from .nouns import (
    MAX_NAME,
    callees_of,
    captions_of,
    conference_of,
    place_of,
    queue_of,
    record_of,
    recording_of,
    stream_of,
)
from .wishes import (
    Place,
    Tell,
)

MAX_DOCUMENTS = 250  # of one call; after that somebody redirects in a circle
MAX_VERBS = 2000
MAX_SAID = 4096
_TWIML = ("text/xml", "application/xml", "text/html", "")
_SOUND = ("audio/", "application/ogg")
_NOT_WHISPERED = ("Dial", "Enqueue", "Refer", "Connect", "Start", "Message", "Sms", "Reject")
WAITING = frozenset({"Play", "Say", "Pause", "Redirect"})  # what may be in a document for who waits
QUEUEING = WAITING | {"Gather", "Leave", "Hangup"}
_PATIENCE = 5.0
_RECORDS = {"do-not-record": "", "false": "", "true": "record-from-answer"}

Params = tuple[tuple[str, str], ...]


class Next(NamedTuple):
    """The document that follows; the rest of the one before is not carried out."""

    url: str
    method: str
    params: Params = ()
    is_report: bool = False  # of what came of a verb


Course = Generator[Action, Any, Next | None]


@dataclass(slots=True)
class Program:
    """One course, from a first document on."""

    place: Place
    is_answered: bool = False
    is_whisper: bool = False  # for somebody whom Dial called: he hears it, and then whoever waits for him
    allowed: frozenset[str] | None = None  # verbs of somebody who waits, and goes on waiting after them
    _base: str = ""
    _method: str = "POST"
    _verbs: int = 0
    _has_fallen_back: bool = field(default=False)

    def run(self) -> Generator[Action, Any, None]:
        """Yield actions until the documents are over."""
        place = self.place
        following: Next | None = Next(place.url, place.method)
        body = place.twiml.encode()
        for _ in range(MAX_DOCUMENTS):
            if following is None:
                if not self.is_whisper and self.allowed is None:
                    yield HangUp()
                return
            try:
                page = Page("", "text/xml", body) if body else (yield Fetch(*following))
                body = b""
                self._base, self._method = page.url, following.method
                following = yield from self._carry_out(page)
            except (FetchError, TwimlError) as error:
                yield Complain(error.code, error.message)
                if not place.fallback_url or self._has_fallen_back:
                    if self.allowed is None:
                        yield HangUp(is_failure=True)
                    return
                self._has_fallen_back = True
                body = b""
                told = (("ErrorCode", str(error.code)), ("ErrorUrl", following.url if following else ""))
                following = Next(place.fallback_url, place.fallback_method, told)
        yield Complain(14106, f"more than {MAX_DOCUMENTS} documents for one call")
        yield HangUp()

    def _carry_out(self, page: Page) -> Course:
        kind = page.content_type.partition(";")[0].strip().lower()
        if kind.startswith(_SOUND):  # a server may answer with what is to be heard
            yield from self._take()
            yield Play(page.url)
            return None
        if kind == "text/plain":  # or with what is to be said
            yield from self._take()
            yield Say(page.body.decode("utf-8", "replace").strip()[:MAX_SAID])
            return None
        if kind not in _TWIML:
            raise TwimlError(12300, f"Content-Type {kind[:80]} is not TwiML")
        document = parse_voice(page.body)
        for code, text in document.warnings:
            yield Complain(code, text)
        for verb in document.verbs:
            self._verbs += 1
            if self._verbs > MAX_VERBS:
                raise TwimlError(14106, f"more than {MAX_VERBS} verbs for one call")
            perform = _VERBS.get(verb.name)
            if perform is None or not self._allows(verb.name):
                code = 13201 if verb.name == "Dial" else 12200
                yield Complain(code, f"{verb.name}: cannot be done here")
                continue
            following = yield from perform(self, verb)
            if following is not None:
                return following
            if verb.name in ("Hangup", "Reject", "Leave"):
                return None
        return None

    def _allows(self, verb: str) -> bool:
        if self.allowed is not None:
            return verb in self.allowed
        return verb != "Leave" and not (self.is_whisper and verb in _NOT_WHISPERED)

    # -- verbs

    def _take(self) -> Course:
        if not self.is_answered:
            self.is_answered = True
            yield Answer()
        return None

    def _say(self, verb: Verb) -> Course:
        yield from self._take()
        yield _said(verb)
        return None

    def _play(self, verb: Verb) -> Course:
        yield from self._take()
        if verb["digits"]:
            yield Press(verb["digits"])
        if verb.text:
            yield self._sound(verb)
        return None

    def _pause(self, verb: Verb) -> Course:
        if self._verbs > 1:  # as the first verb it lets the call ring on
            yield from self._take()
        yield Wait(float(verb["length"]))
        return None

    def _gather(self, verb: Verb) -> Course:
        yield from self._take()
        partial = verb["partialResultCallback"]
        prompts = tuple([self._prompt(child) for child in verb.children])
        timeout = _PATIENCE if verb["timeout"] == "auto" else float(verb["timeout"])
        pause = verb["speechTimeout"]
        keys: Keys = yield Gather(
            prompts,
            verb["numDigits"],
            verb["finishOnKey"],
            timeout,
            verb["bargeIn"] is not False,
            "dtmf" in verb["input"],
            "speech" in verb["input"],
            verb["language"],
            0.0 if pause in (None, "auto") else float(pause),
            float(verb["maxSpeechTime"]),
            Tell(self._where(partial) if partial else "", verb["partialResultCallbackMethod"]),
            verb["hints"] or "",
        )
        if not keys.digits and not keys.speech and not verb["actionOnEmptyResult"]:
            return None
        told: Params = (("msg", "Gather End"),)
        if keys.speech or "dtmf" not in verb["input"]:
            told += (("SpeechResult", keys.speech), ("Confidence", f"{keys.confidence:.4f}"))
            told += (("Language", verb["language"]),)
        else:
            told += (("Digits", keys.digits),)
        if keys.finished_on:
            told += (("FinishedOnKey", keys.finished_on),)
        return self._action(verb, told, default=self._base)

    def _record(self, verb: Verb) -> Course:
        yield from self._take()
        done: Recorded | None = yield record_of(verb, self._where)
        return None if done is None else self._action(verb, done.params(), default=self._base)

    def _dial(self, verb: Verb) -> Course:
        conference, queue = conference_of(verb, self._where), queue_of(verb, self._where)
        callees = () if conference or queue else callees_of(verb, self._where)
        if not callees and conference is None and queue is None:
            raise TwimlError(13223, "Dial: nobody is named whom to call")
        if conference is not None or not verb["answerOnBridge"]:
            yield from self._take()
        done: Dialled = yield Dial(
            callees,
            conference,
            queue,
            timeout=float(verb["timeout"]),
            time_limit=float(verb["timeLimit"]),
            caller_id=verb["callerId"] or "",
            is_sequential=verb["sequential"],
            hangs_up_on_star=verb["hangupOnStar"],
            answers_on_bridge=verb["answerOnBridge"],
            country=verb["ringTone"] or "us",
            record=_RECORDS.get(verb["record"], verb["record"]),
            is_trimmed=verb["trim"] == "trim-silence",
            track=verb["recordingTrack"],
            tell=recording_of(verb, self._where),
            may_refer=bool(verb["referUrl"]),
        )
        self.is_answered = self.is_answered or done.is_bridged
        if done.referred:
            told = (*done.more, ("ReferTransferTarget", done.referred))
            return Next(self._where(verb["referUrl"]), verb["referMethod"], told, True)
        return self._action(verb, done.params()) if verb["action"] else None

    def _enqueue(self, verb: Verb) -> Course:
        if verb["workflowSid"] or verb.children:
            raise TwimlError(12200, "Enqueue: there are no workflows here")
        if not 0 < len(verb.text) <= MAX_NAME:
            raise TwimlError(12200, f"Enqueue: the name of a queue has 1 to {MAX_NAME} characters")
        yield from self._take()
        wait = place_of(verb, "waitUrl", self._where, "waitUrlMethod")
        done: Dequeued = yield Enqueue(verb.text, wait, verb["maxQueueSize"])
        if done.place is not None:
            return Next(done.place.url, done.place.method, done.params())
        return self._action(verb, done.params()) if verb["action"] else None

    def _leave(self, verb: Verb) -> Course:
        yield Leave()
        return None

    def _connect(self, verb: Verb) -> Course:
        yield from self._take()
        stream = verb.first("Stream")
        if stream is None:
            raise TwimlError(12200, "Connect: there is no Stream in it")
        sid: str = yield Connect(stream_of(stream, self._where, is_two_way=True))
        return self._action(verb, (("StreamSid", sid),)) if verb["action"] else None

    def _start(self, verb: Verb) -> Course:
        yield from self._take()
        for noun in verb.children:
            if noun.name == "Stream":
                yield StartStream(stream_of(noun, self._where, is_two_way=False))
            elif noun.name == "Transcription":
                yield StartCaptions(captions_of(noun, self._where))
            else:
                channels, is_trimmed = 1 if noun["channels"] == "mono" else 2, noun["trim"] == "trim-silence"
                tell = recording_of(noun, self._where)
                yield StartRecording(channels, tell, is_trimmed, noun["track"])
        return self._action(verb) if verb["action"] else None

    def _stop(self, verb: Verb) -> Course:
        for noun in verb.children:
            if noun.name == "Stream":
                yield StopStream(noun["name"] or "")
            elif noun.name == "Transcription":
                yield StopCaptions(noun["name"] or "")
            else:
                yield StopRecording()
        return None

    def _echo(self, verb: Verb) -> Course:
        yield from self._take()
        yield Echo()
        return None

    def _refer(self, verb: Verb) -> Course:
        noun = verb.first("Sip") or verb.first("ReferSip")
        uri = "" if noun is None else noun.text
        if not re.fullmatch(r"sips?:[^\s<>\x00-\x1f]{1,1000}", uri, re.IGNORECASE):
            raise TwimlError(13243, "Refer: there is no SIP URI in it")
        yield from self._take()
        done: Sent = yield Refer(uri)
        return self._action(verb, done.params()) if verb["action"] else None

    def _redirect(self, verb: Verb) -> Course:
        yield from ()
        return Next(self._where(verb.text or self._base), verb["method"])

    def _message(self, verb: Verb) -> Course:
        bodies = [child.text for child in verb.children if child.name == "Body"]
        media = tuple([self._where(child.text) for child in verb.children if child.name == "Media"])
        callback = verb["statusCallback"]
        yield Text(
            "".join(bodies) or verb.text,
            verb["to"] or "",
            verb["from"] or "",
            media,
            self._where(callback) if callback else "",
        )
        return self._action(verb, (("MessageStatus", "queued"),)) if verb["action"] else None

    def _reject(self, verb: Verb) -> Course:
        yield HangUp() if self.is_answered else Reject(verb["reason"] == "busy")
        return None

    def _hangup(self, verb: Verb) -> Course:
        yield HangUp()
        return None

    # -- what they are made of

    def _action(self, verb: Verb, params: Params = (), default: str = "") -> Next:
        return Next(self._where(verb["action"] or default), verb["method"], params, True)

    def _prompt(self, verb: Verb) -> Prompt:
        if verb.name == "Say":
            return _said(verb)
        return self._sound(verb) if verb.name == "Play" else Wait(float(verb["length"]))

    def _sound(self, verb: Verb) -> Play:
        return Play(self._where(verb.text), verb["loop"])

    def _where(self, url: str) -> str:
        """An address, whole: a document that came with the call itself has no place that it could be near."""
        whole = urljoin(self._base, url)
        if not urlsplit(whole).scheme:
            raise TwimlError(11100, f"{url[:100]}: must be a whole address")
        return whole


def _said(verb: Verb) -> Say:
    return Say(verb.text[:MAX_SAID], verb["voice"] or "", verb["language"] or "", verb["loop"])


_VERBS: dict[str, Callable[[Program, Verb], Course]] = {
    "Say": Program._say,
    "Play": Program._play,
    "Pause": Program._pause,
    "Gather": Program._gather,
    "Record": Program._record,
    "Dial": Program._dial,
    "Enqueue": Program._enqueue,
    "Leave": Program._leave,
    "Refer": Program._refer,
    "Connect": Program._connect,
    "Start": Program._start,
    "Stop": Program._stop,
    "Echo": Program._echo,
    "Redirect": Program._redirect,
    "Message": Program._message,
    "Sms": Program._message,
    "Reject": Program._reject,
    "Hangup": Program._hangup,
}
