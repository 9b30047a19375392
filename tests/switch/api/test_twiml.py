"""TwiML documents: what is read, what is refused and with which code."""

from __future__ import annotations

import time

import pytest
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from switchroom.switch.api.twiml.document import TwimlError, read
from switchroom.switch.api.twiml.parse import parse_messaging, parse_voice


def voice(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{body}</Response>'.encode()


def code_of(data: bytes) -> int:
    with pytest.raises(TwimlError) as refused:
        parse_voice(data)
    return refused.value.code


def test_what_the_clients_write_is_read() -> None:
    response = VoiceResponse()
    gather = Gather(num_digits=1, action="/menu", timeout=3)
    gather.say("Press one, or wait.", voice="alice")
    gather.pause(length=2)
    response.append(gather)
    dial = Dial(caller_id="+15017122661", timeout=20, action="/done", record="record-from-answer-dual")
    dial.number("+15558675310", send_digits="wwww1928", status_callback_event="ringing answered")
    dial.conference("Room 1", muted=True, beep="onEnter", wait_url="")
    dial.sip("sip:alice@example.com?X-A=1", username="u")
    response.append(dial)
    response.redirect("/again?x=1&y=2")
    document = parse_voice(str(response).encode())
    assert document.warnings == ()
    gathered, dialled, redirected = document.verbs
    assert (gathered["numDigits"], gathered["timeout"], gathered["finishOnKey"], gathered["method"]) == (
        *(1, 3, "#", "POST"),
    )
    said, paused = gathered.children
    assert (said.text, said["voice"], said["loop"], paused["length"]) == (
        "Press one, or wait.",
        "alice",
        1,
        2,
    )
    number, conference, sip = dialled.children
    assert (number.text, number["sendDigits"]) == ("+15558675310", "wwww1928")
    assert number["statusCallbackEvent"] == ("ringing", "answered")
    assert (conference["muted"], conference["waitUrl"], conference["maxParticipants"]) == (True, "", 250)
    assert sip.text == "sip:alice@example.com?X-A=1"
    assert (redirected.text, redirected["method"]) == ("/again?x=1&y=2", "POST")


def test_messages() -> None:
    response = MessagingResponse()
    message = response.message(to="+15558675310", status_callback="/status")
    message.body("Grüße & <Küsse>")
    message.media("https://example.com/a.png")
    response.message("plain")
    first, second = parse_messaging(str(response).encode()).verbs
    assert [child.text for child in first.children] == ["Grüße & <Küsse>", "https://example.com/a.png"]
    assert (first["to"], second.text) == ("+15558675310", "plain")
    with pytest.raises(TwimlError) as refused:
        parse_messaging(voice("<Dial>123</Dial>"))
    assert refused.value.code == 14110


def test_markup_of_speech_is_its_words() -> None:
    (said,) = parse_voice(voice("<Say>Hello <emphasis>dear</emphasis>  <p>caller</p></Say>")).verbs
    assert said.text == "Hello dear caller"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<Dial timeout='soon'>1</Dial>", 13212),
        ("<Dial method='PUT'>1</Dial>", 13210),
        ("<Dial record='maybe'>1</Dial>", 13217),
        ("<Dial><Say>no</Say></Dial>", 13215),
        ("<Gather><Dial>1</Dial></Gather>", 13320),
        ("<Gather numDigits='0'/>", 13314),
        ("<Gather finishOnKey='x'/>", 13310),
        ("<Gather input='thought'/>", 13326),
        ("<Record maxLength='-1'/>", 13612),
        ("<Record playBeep='loud'/>", 13616),
        ("<Pause length='x'/>", 13910),
        ("<Reject reason='shy'/>", 13810),
        ("<Play loop='x'>a.wav</Play>", 13410),
        ("<Redirect method='PUT'>/</Redirect>", 13710),
        ("<Dial><Conference muted='x'>a</Conference></Dial>", 13230),
        ("<Dial action='gopher://x'>1</Dial>", 11100),
        ("<Dial>", 12100),
        ("&nbsp;", 12100),
        ("\x01", 12100),
    ],
)
def test_codes(body: str, code: int) -> None:
    assert code_of(voice(body)) == code


def test_unknown_things_are_passed_over_and_told() -> None:
    document = parse_voice(voice("<Dance/><Say mood='good'>Hi</Say>"))
    assert [verb.name for verb in document.verbs] == ["Say"]
    assert len(document.warnings) == 2


def test_the_document_as_such() -> None:
    assert code_of(b"") == 11770
    assert code_of(b" \n ") == 11770
    assert code_of(b"hello") == 12100
    assert code_of(b"<Answer/>") == 12102
    assert code_of(b'<?xml version="1.1"?><Response/>') == 12101
    assert code_of(b'<?xml version="1.0" encoding="klingon"?><Response/>') == 12100
    assert code_of(b"<Response>" + b"x" * 65536) == 11750
    assert parse_voice(b"\n <Response/>").verbs == ()
    latin = '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>Grüße</Say></Response>'.encode(
        "latin-1"
    )
    assert parse_voice(latin).verbs[0].text == "Grüße"


BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">%s]><Response><Say>&j;</Say></Response>""" % (
    b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
)
XXE = (
    b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Response>&x;</Response>"""
)
REMOTE = b"""<?xml version="1.0"?><!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd"><Response/>"""
QUADRATIC = b"<!DOCTYPE r [<!ENTITY a '" + b"x" * 30000 + b"'>]><Response>" + b"&a;" * 5000 + b"</Response>"
DEEP = b"<Response>" + b"<Say>" * 5000
WIDE = b"<Response>" + b"<Hangup/>" * 5000 + b"</Response>"
LISTED = b"<Response><Say " + b" ".join(b"a%d='1'" % n for n in range(3000)) + b"/></Response>"


@pytest.mark.parametrize("data", [BOMB, XXE, REMOTE, QUADRATIC, DEEP, WIDE, LISTED])
def test_bombs_cost_nothing(data: bytes) -> None:
    started = time.process_time()
    assert code_of(data) == 12100
    assert time.process_time() - started < 0.1


def test_limits_are_no_smaller_than_said() -> None:
    assert len(parse_voice(b"<Response>" + b"<Hangup/>" * 199 + b"</Response>").verbs) == 199
    assert read(b"<Response>" + b"<a>" * 15 + b"</a>" * 15 + b"</Response>").name == "Response"
