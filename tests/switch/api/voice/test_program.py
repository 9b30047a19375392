"""The interpreter alone: documents in, actions out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twilio.twiml.voice_response import Dial as DialVerb
from twilio.twiml.voice_response import Gather as GatherVerb
from twilio.twiml.voice_response import VoiceResponse

from switchroom.switch.api.voice import program as course
from switchroom.switch.api.voice.actions import (
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
    Record,
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
from switchroom.switch.api.voice.program import QUEUEING, WAITING, Program
from switchroom.switch.api.voice.wishes import (
    Callee,
    CaptionsWish,
    ConferenceWish,
    Detection,
    Place,
    QueueWish,
    StreamWish,
    Tell,
)
from switchroom.switch.api.webhooks.fetch import FetchError
from switchroom.switch.calls.script import Credentials

HOME = "http://app/voice"


def page(body: str, url: str = HOME, kind: str = "text/xml") -> Page:
    return Page(
        url, kind, body.encode() if body.startswith("<?") else f"<Response>{body}</Response>".encode()
    )


def perform(told: Sequence[Any], place: Place | None = None, **more: Any) -> list[Any]:
    """What the program wants, when these are the results of what it asks for (None for all else)."""
    waiting = list(told)
    running = Program(place or Place(HOME, fallback_url=more.pop("fallback", "")), **more).run()
    wanted: list[Any] = []
    action: Any = next(running)
    while True:
        wanted.append(action)
        try:
            if isinstance(action, Fetch | Gather | Dial | Record | Connect | Enqueue | Refer):
                result = waiting.pop(0)
                action = running.throw(result) if isinstance(result, Exception) else running.send(result)
            else:
                action = running.send(None)
        except StopIteration:
            assert not waiting
            return wanted


def test_what_is_said_and_played_and_the_end() -> None:
    body = "<Say voice='man' language='de-DE' loop='2'>Hallo</Say><Pause length='3'/><Play digits='1w2'/>"
    body += "<Play loop='0'>/a.wav</Play>"
    assert perform([page(body)]) == [
        Fetch(HOME),
        Answer(),
        Say("Hallo", "man", "de-DE", 2),
        Wait(3.0),
        Press("1w2"),
        Play("http://app/a.wav", 0),
        HangUp(),
    ]


def test_a_pause_at_the_beginning_lets_it_ring_and_reject_refuses() -> None:
    assert perform([page("<Pause length='2'/><Say>x</Say>")])[1:4] == [Wait(2.0), Answer(), Say("x")]
    assert perform([page("<Reject reason='busy'/><Say>never</Say>")]) == [Fetch(HOME), Reject(True), HangUp()]
    assert perform([page("<Reject/>")], is_answered=True)[1] == HangUp()


def test_gather_goes_to_its_action_or_falls_through() -> None:
    response = VoiceResponse()
    gather = GatherVerb(num_digits=1, action="/menu?x=1", timeout=7)
    gather.say("Press one")
    gather.play("http://files/b.wav")
    response.append(gather)
    response.say("Nothing came")
    first = page(str(response))
    wanted = perform([first, Keys("1", "#"), page("<Hangup/>", "http://app/menu?x=1")])
    assert wanted[2] == Gather((Say("Press one"), Play("http://files/b.wav")), 1, "#", 7.0)
    params = (("msg", "Gather End"), ("Digits", "1"), ("FinishedOnKey", "#"))
    assert wanted[3:] == [Fetch("http://app/menu?x=1", "POST", params, True), HangUp(), HangUp()]
    assert perform([first, Keys("")])[3:] == [Say("Nothing came"), HangUp()]
    empty = page("<Gather actionOnEmptyResult='true' method='GET'/>")
    assert perform([empty, Keys(""), page("")])[3] == Fetch(
        HOME, "GET", (("msg", "Gather End"), ("Digits", "")), True
    )


def test_dial_calls_and_tells_what_came_of_it() -> None:
    response = VoiceResponse()
    dial = DialVerb(action="/done", caller_id="+15017122661", time_limit=60, hangup_on_star=True)
    dial.number("+15558675310", url="/whisper", status_callback="/cb", status_callback_event="ringing")
    dial.client("alice")
    dial.sip("sip:bob@example.com?X-A=1")
    response.append(dial)
    done = Dialled("completed", "CA1", 12, True)
    wanted = perform([page(str(response)), done, page("")])
    assert wanted[2] == Dial(
        (
            Callee(
                "number",
                "+15558675310",
                "http://app/whisper",
                callback="http://app/cb",
                callback_events=("ringing",),
                noun=1,
            ),
            Callee("client", "alice", noun=2),
            Callee("sip", "sip:bob@example.com?X-A=1", noun=3),
        ),
        time_limit=60.0,
        caller_id="+15017122661",
        hangs_up_on_star=True,
    )
    assert wanted[3] == Fetch("http://app/done", "POST", done.params(), True)
    assert ("DialCallDuration", "12") in done.params()
    fallen = perform([page("<Dial answerOnBridge='true'>100</Dial><Say>gone</Say>"), Dialled("busy")])
    assert fallen[1:] == [
        Dial((Callee("number", "100"),), answers_on_bridge=True),
        Answer(),
        Say("gone"),
        HangUp(),
    ]


def test_headers_machines_and_credentials_of_dial() -> None:
    body = "<Dial><Sip username='a' password='b'>sip:bob@example.com<Headers><Header name='X-A' value='1 2'/>"
    body += "</Headers></Sip><Number machineDetection='Enable' amdStatusCallback='/amd'>100</Number></Dial>"
    wanted = perform([page(body), Dialled("busy")])
    assert not [one for one in wanted if isinstance(one, Complain)]
    detection = Detection(url="http://app/amd", is_beside=True)
    assert next(one for one in wanted if isinstance(one, Dial)).callees == (
        Callee("sip", "sip:bob@example.com?X-A=1+2", credentials=Credentials("a", "b"), noun=1),
        Callee("number", "100", detection=detection, noun=2),
    )
    assert "'b'" not in repr(wanted)


def test_uris_of_a_sip_have_their_own_credentials() -> None:
    body = "<Dial><Sip username='a' password='b'><Uri priority='2'>sip:one@a.example</Uri>"
    body += "<Uri priority='1' weight='3' username='c' password='d'>sip:two@b.example</Uri></Sip></Dial>"
    [dial] = [one for one in perform([page(body), Dialled("busy")]) if isinstance(one, Dial)]
    assert dial.callees == (
        Callee("sip", "sip:one@a.example", credentials=Credentials("a", "b"), noun=1, priority=2),
        Callee("sip", "sip:two@b.example", credentials=Credentials("c", "d"), noun=1, priority=1, weight=3),
    )
    for wrong in ("username='a'", "password='a'", "username='a' password=''"):
        wanted = perform([page(f"<Dial><Sip {wrong}>sip:one@a.example</Sip></Dial>")])
        assert [one.code for one in wanted if isinstance(one, Complain)] == [13249]


def test_whoever_was_dialled_sends_the_caller_elsewhere() -> None:
    body = "<Dial action='/done' referUrl='/refer' referMethod='GET'>100</Dial>"
    sent = Dialled("completed", "CA1", 1, True, referred="<sip:200@a.example>")
    wanted = perform([page(body), sent, page("")])
    assert next(one for one in wanted if isinstance(one, Dial)).may_refer
    told = (("ReferTransferTarget", "<sip:200@a.example>"),)
    assert Fetch("http://app/refer", "GET", told, True) in wanted


def test_whoever_was_dialled_dials_nobody() -> None:
    wanted = perform([page("<Dial>100</Dial><Say>x</Say>")], is_whisper=True, is_answered=True)
    assert wanted[2:] == [Say("x")]  # and then the two talk
    assert next(action for action in wanted if isinstance(action, Complain)).code == 13201


def test_messages_and_redirects() -> None:
    body = "<Message to='+1' from='+2' statusCallback='/cb'><Body>a</Body><Media>/p.png</Media></Message>"
    wanted = perform([page(body + "<Redirect method='GET'>/b</Redirect><Say>never</Say>"), page("")])
    assert wanted == [
        Fetch(HOME),
        Text("a", "+1", "+2", ("http://app/p.png",), "http://app/cb"),
        Fetch("http://app/b", "GET"),
        HangUp(),
    ]


def test_who_redirects_in_a_circle_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "MAX_DOCUMENTS", 3)
    wanted = perform([page("<Redirect/>")] * 3)
    assert [type(action) for action in wanted] == [Fetch, Fetch, Fetch, Complain, HangUp]


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (FetchError(11200, "status 500"), 11200),
        (page("<?no", kind="text/xml"), 12100),
        (page("", kind="application/json"), 12300),
        (page("<Dial/>"), 13223),
        (page("<Dial><Sip>bob</Sip></Dial>"), 13243),
        (page("<Gather numDigits='x'/>"), 13314),
    ],
)
def test_what_is_wrong_leads_to_the_fallback_once(result: Any, code: int) -> None:
    wanted = perform([result, page("<Say>sorry</Say>", "http://app/f")], fallback="http://app/f")
    complaint = next(action for action in wanted if isinstance(action, Complain))
    assert complaint.code == code
    asked = [action for action in wanted if isinstance(action, Fetch)]
    assert asked[1].params[0] == ("ErrorCode", str(code))
    assert wanted[-3:] == [Answer(), Say("sorry"), HangUp()]
    assert perform([result])[-1] == HangUp(is_failure=True)
    both = perform([result, result], fallback="http://app/f")
    assert [action.code for action in both if isinstance(action, Complain)] == [code, code]


def test_a_document_that_came_with_the_call_has_no_place() -> None:
    place = Place(twiml="<Response><Say>x</Say><Play>http://files/a.wav</Play></Response>")
    assert perform([], place, is_answered=True) == [Say("x"), Play("http://files/a.wav"), HangUp()]
    refused = perform([], Place(twiml="<Response><Redirect>/there</Redirect></Response>"))
    assert [action.code for action in refused if isinstance(action, Complain)] == [11100]


def test_a_server_may_answer_with_sound() -> None:
    assert perform([Page("http://app/x", "audio/wav", b"RIFF")]) == [
        Fetch(HOME),
        Answer(),
        Play("http://app/x"),
        HangUp(),
    ]


def test_a_server_may_answer_with_words() -> None:
    wanted = perform([Page(HOME, "text/plain; charset=utf-8", " Grüß Gott\n".encode())])
    assert wanted[1:] == [Answer(), Say("Grüß Gott"), HangUp()]


def test_speech_goes_to_the_action() -> None:
    body = "<Gather input='speech dtmf' language='de-DE' speechTimeout='2' action='/said'/>"
    wanted = perform([page(body), Keys("", "", "guten Tag", 0.9), page("")])
    assert wanted[2] == Gather((), None, "#", 5.0, True, True, True, "de-DE", 2.0, 60.0)
    params = (("msg", "Gather End"), ("SpeechResult", "guten Tag"), ("Confidence", "0.9000"))
    assert wanted[3] == Fetch("http://app/said", "POST", (*params, ("Language", "de-DE")), True)
    assert perform([page("<Gather input='speech'/>"), Keys("")])[3:] == [HangUp()]


def test_refer_tells_what_the_phone_has_answered() -> None:
    body = "<Refer action='/done'><Sip>sip:bob@example.com</Sip></Refer>"
    wanted = perform([page(body), Sent(202, 200), page("")])
    assert wanted[2] == Refer("sip:bob@example.com")
    params = (("ReferCallStatus", "completed"), ("ReferSipResponseCode", "202"))
    assert wanted[3] == Fetch("http://app/done", "POST", (*params, ("NotifySipResponseCode", "200")), True)
    refused = perform([page("<Refer><Sip>bob</Sip></Refer>")])
    assert [one.code for one in refused if isinstance(one, Complain)] == [13243]


def test_what_was_recorded_goes_to_the_action_and_silence_does_not() -> None:
    body = "<Record maxLength='20' finishOnKey='#' playBeep='false' action='/voicemail' "
    body += "recordingStatusCallback='/rec' trim='do-not-trim'/><Say>Nothing came</Say>"
    done = Recorded("RE1", "http://switch/RE1", 7, "#")
    wanted = perform([page(body), done, page("")])
    tell = Tell("http://app/rec", "POST", ("completed",))
    assert wanted[2] == Record(5.0, "#", 20.0, False, False, tell)
    assert wanted[3] == Fetch("http://app/voicemail", "POST", done.params(), True)
    assert ("Digits", "#") in done.params()
    wanted = perform([page("<Record transcribe='true'/>"), None])
    assert (wanted[2].max_length, wanted[2].is_transcribed) == (120.0, True)
    assert perform([page(body), None])[3:] == [Say("Nothing came"), HangUp()]


def test_streams() -> None:
    body = "<Start><Stream url='wss://app/listen' name='ear' statusCallback='/st'/></Start>"
    body += "<Stop><Stream name='ear'/></Stop><Connect action='/after'><Stream url='wss://app/talk'>"
    body += "<Parameter name='a' value='1'/></Stream></Connect>"
    wanted = perform([page(body), "MZ1", page("")])
    assert wanted[2:-1] == [
        StartStream(StreamWish("wss://app/listen", "ear", callback="http://app/st")),
        StopStream("ear"),
        Connect(StreamWish("wss://app/talk", parameters={"a": "1"})),
        Fetch("http://app/after", "POST", (("StreamSid", "MZ1"),), True),
    ]
    both = "<Stream url='wss://app/talk' track='both_tracks'/>"
    wanted = perform([page(f"<Connect>{both}</Connect>")])
    assert [one.code for one in wanted if isinstance(one, Complain)] == [31941]
    wanted = perform([page(f"<Start action='/on'>{both}</Start>"), page("")])
    assert wanted[2:4] == [
        StartStream(StreamWish("wss://app/talk", tracks=("inbound", "outbound"))),
        Fetch("http://app/on", "POST", (), True),
    ]


def test_what_goes_on_beside_and_its_end() -> None:
    body = "<Start><Recording channels='mono' trim='trim-silence' track='inbound'/>"
    body += "<Transcription name='t' hints='a,b' statusCallbackUrl='/said' track='outbound_track' "
    body += "outboundTrackLabel='us' languageCode='de-DE' "
    body += "partialResults='true'><Config name='x' value='y'/></Transcription></Start>"
    body += "<Stop><Transcription name='t'/><Recording/></Stop><Echo/>"
    tell = Tell("http://app/said")
    wish = CaptionsWish(tell, "t", ("outbound",), "de-DE", True, "a,b", ("us",))
    assert perform([page(body)])[2:] == [
        StartRecording(1, Tell(), True, "inbound"),
        StartCaptions(wish),
        StopCaptions("t"),
        StopRecording(),
        Echo(),
        HangUp(),
    ]
    (wanted,) = [
        one for one in perform([page("<Start><Transcription/></Start>")]) if isinstance(one, StartCaptions)
    ]
    assert wanted == StartCaptions(CaptionsWish(Tell(), labels=("", "")))


@pytest.mark.parametrize(
    ("body", "code", "goes_on"),
    [
        ("<Pay paymentConnector='x'/>", 64002, True),
        ("<Start><Siprec connectorName='x'/></Start>", 12200, True),
        ("<Connect><ConversationRelay url='wss://a'/></Connect>", 12200, False),
        ("<Connect><VirtualAgent/></Connect>", 12200, False),
        ("<Dial><Application>AP1</Application></Dial>", 13215, False),
        ("<Dial><WhatsApp>1</WhatsApp></Dial>", 13215, False),
    ],
)
def test_what_is_known_and_not_there_is_refused_with_its_code(body: str, code: int, goes_on: bool) -> None:
    wanted = perform([page(body + "<Say>on</Say>")])
    told = [one for one in wanted if isinstance(one, Complain)]
    assert [(one.code, len(one.message) > 20) for one in told] == [(code, True)]
    assert (Say("on") in wanted) is goes_on


def test_dial_leads_to_a_conference_or_a_queue() -> None:
    response = VoiceResponse()
    dial = DialVerb(hangup_on_star=True)
    dial.conference(
        "Room 1", muted=True, beep="onEnter", wait_url="", max_participants=4, coach="CA" + "1" * 32
    )
    response.append(dial)
    wanted = perform([page(str(response)), Dialled("completed")])
    wish = ConferenceWish(
        "Room 1",
        is_muted=True,
        beeps=("enter",),
        wait=Place(""),
        max_participants=4,
        coached="CA" + "1" * 32,
    )
    assert wanted[1:] == [Answer(), Dial(conference=wish, hangs_up_on_star=True), HangUp()]
    queue = "<Dial timeout='9'><Queue url='/whisper'>support</Queue></Dial>"
    wanted = perform([page(queue), Dialled("completed")])
    assert wanted[2] == Dial(queue=QueueWish("support", "http://app/whisper"), timeout=9.0)


def test_who_waits_in_a_queue_goes_on_where_he_is_told() -> None:
    body = "<Enqueue waitUrl='/wait' action='/out' maxQueueSize='5'>support</Enqueue><Say>next</Say>"
    done = Dequeued("bridged", "QU1", 7)
    wanted = perform([page(body), done, page("")])
    assert wanted[2:4] == [
        Enqueue("support", Place("http://app/wait"), 5),
        Fetch("http://app/out", "POST", done.params(), True),
    ]
    taken = Dequeued("redirected", "QU1", 7, Place("http://app/there", "GET"))
    wanted = perform([page(body), taken, page("")])
    assert wanted[3] == Fetch("http://app/there", "GET", taken.params())
    assert perform([page("<Enqueue>support</Enqueue><Say>next</Say>"), done])[2:] == [
        Enqueue("support"),
        Say("next"),
        HangUp(),
    ]


def test_what_is_heard_while_waiting_does_not_end_the_call() -> None:
    body = "<Say>a</Say><Dial>100</Dial><Leave/><Say>never</Say>"
    place = Place(HOME)
    wanted = perform([page(body)], place, is_answered=True, allowed=QUEUEING)
    assert [type(one) for one in wanted] == [Fetch, Say, Complain, Leave]
    wanted = perform([page("<Leave/><Say>a</Say>")], place, is_answered=True, allowed=WAITING)
    assert [type(one) for one in wanted] == [Fetch, Complain, Say]
    failed = perform([FetchError(11200, "status 500")], place, is_answered=True, allowed=WAITING)
    assert [type(one) for one in failed] == [Fetch, Complain]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<Dial><Conference/></Dial>", 13237),
        ("<Dial><Conference muted='x'>a</Conference></Dial>", 13230),
        ("<Dial><Conference beep='x'>a</Conference></Dial>", 13235),
        ("<Dial><Conference startConferenceOnEnter='x'>a</Conference></Dial>", 13232),
        ("<Dial><Conference endConferenceOnExit='x'>a</Conference></Dial>", 13231),
        ("<Dial><Conference participantLabel='a/b'>a</Conference></Dial>", 16023),
        ("<Dial><Conference coach='CA1'>a</Conference></Dial>", 13240),
        ("<Dial><Conference trim='x'>a</Conference></Dial>", 13239),
        ("<Dial><Conference>a</Conference><Number>1</Number></Dial>", 13215),
        ("<Dial><Queue/></Dial>", 13223),
        ("<Dial><Say>a</Say></Dial>", 13215),
        ("<Dial hangupOnStar='x'>1</Dial>", 13213),
        ("<Dial timeLimit='x'>1</Dial>", 13216),
        ("<Dial record='x'>1</Dial>", 13217),
        ("<Dial sequential='x'>1</Dial>", 13218),
        ("<Dial answerOnBridge='x'>1</Dial>", 13219),
        ("<Dial method='PUT'>1</Dial>", 13210),
        ("<Dial><Number sendDigits='x'>1</Number></Dial>", 13222),
        ("<Gather><Dial>1</Dial></Gather>", 13320),
        ("<Gather finishOnKey='x'/>", 13310),
        ("<Gather timeout='x'/>", 13313),
        ("<Record maxLength='x'/>", 13612),
        ("<Record timeout='x'/>", 13611),
        ("<Say loop='x'>a</Say>", 13510),
        ("<Play loop='x'>a</Play>", 13410),
        ("<Pause length='x'/>", 13910),
        ("<Reject reason='x'/>", 13810),
        ("<Redirect method='PUT'>a</Redirect>", 13710),
    ],
)
def test_what_may_not_stand_there(body: str, code: int) -> None:
    assert [one.code for one in perform([page(body)]) if isinstance(one, Complain)] == [code]
