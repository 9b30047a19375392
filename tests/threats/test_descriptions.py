"""THREATS A7 and B5: descriptions and bodies made to cost the switch more than they are worth."""

from __future__ import annotations

import pytest

from ..peers.harness import Switch
from ..peers.phone import Phone
from ..peers.raw import Message, SilenceError, audio
from .conftest import fresh_phone

CPU_CEILING = 0.2

_HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
_AUDIO = "m=audio 40000 RTP/AVP 0\r\n"

BOMBS = {
    "17 media": _HEAD + _AUDIO * 17,
    "2000 media": _HEAD + _AUDIO * 2000,
    "257 attributes": _HEAD + _AUDIO + "a=x:1\r\n" * 257,
    "5000 rtpmap": _HEAD + _AUDIO + "".join(f"a=rtpmap:{n} X/8000\r\n" for n in range(2500)),
    "fmtp without end": _HEAD + _AUDIO + "a=fmtp:0 " + "x=1;" * 12000 + "\r\n",
    "formats": _HEAD + "m=audio 40000 RTP/AVP " + "0 " * 20000 + "\r\n",
    "port": _HEAD + "m=audio 99999999999999999999 RTP/AVP 0\r\n",
    "negative port": _HEAD + "m=audio -1 RTP/AVP 0\r\n",
    "port count": _HEAD + "m=audio 40000/4294967297 RTP/AVP 0\r\n",
    "payload type": _HEAD + _AUDIO + "a=rtpmap:-1 PCMU/8000\r\na=rtpmap:4294967296 PCMU/8000\r\n",
    "clock rate": _HEAD + _AUDIO + "a=rtpmap:0 PCMU/99999999999999999999999\r\n",
    "ptime": _HEAD + _AUDIO + "a=ptime:99999999999999999999999\r\n",
    "version": _HEAD.replace("v=0", "v=" + "9" * 4000) + _AUDIO,
    "no line ends": "v=0" * 15000,
    "not text": "\x00\x01\x02\xff" * 5000,
    "address": _HEAD.replace("127.0.0.1", "1" * 3000) + _AUDIO,
    "attribute of 50 KB": _HEAD + _AUDIO + "a=" + "y" * 50000 + "\r\n",
    "empty lines": _HEAD + _AUDIO + "\r\n" * 20000,
    "rtcp": _HEAD + _AUDIO + "a=rtcp:99999999999\r\n",
}
REFUSALS = {400, 413, 415, 488, 606}
# what cannot be read as a description must be refused; what is merely odd may also be relayed, cleaned
MUST_REFUSE = {
    "17 media",
    "2000 media",
    "257 attributes",
    "5000 rtpmap",
    "formats",
    "port",
    "negative port",
    "port count",
    "version",
    "no line ends",
    "not text",
    "address",
}


def offer(target: Switch, phone: Phone, number: str, body: bytes, kind: str = "application/sdp") -> Message:
    """The final response of the switch to an offer, and a check of what it cost."""
    before = target.cpu_seconds()
    dialog = phone.start_call(number, body, headers=[("Content-Type", kind)])
    response = phone.final(5, method="INVITE", call_id=dialog.call_id)
    assert target.cpu_seconds() - before <= CPU_CEILING
    return response


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_in_the_offer(target: Switch, name: str) -> None:
    """A7: caps hold, ints are checked; 488, 400 or 413, at most 200 ms of CPU, and the switch is well."""
    with (
        fresh_phone(target, "tcp") as caller,
        fresh_phone(target) as callee,
    ):
        assert callee.register().status == 200
        body = BOMBS[name].encode("utf-8", "replace")
        if name in MUST_REFUSE:
            assert offer(target, caller, callee.user, body).status in REFUSALS
            assert callee.hears_nothing(0.1)
        else:
            dialog = caller.start_call(callee.user, body)
            got = caller.take(lambda m: m.status > 100 or m.method == "INVITE", 5)
            assert got is not None
            if got.status < 200:
                caller.cancel(dialog)
        assert caller.options() < 0.5


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_in_the_answer(target: Switch, name: str) -> None:
    """A7 from the callee: the caller gets a failure or a clean description, and both dialogs end."""
    with (
        fresh_phone(target) as caller,
        fresh_phone(target, "tcp") as callee,
    ):
        assert callee.register().status == 200
        body = BOMBS[name].encode("utf-8", "replace")
        dialog = caller.start_call(callee.user, audio("127.0.0.1", 40000))
        called = callee.incoming()
        before = target.cpu_seconds()
        called.respond(called.invite, 200, "OK", body)  # type: ignore[arg-type]
        called.wait_for("ACK")
        response = caller.final(5, method="INVITE", call_id=dialog.call_id)
        assert target.cpu_seconds() - before <= CPU_CEILING
        if name in MUST_REFUSE:
            assert response.status >= 300
            called.answer_bye()
        if response.status == 200:
            dialog.remote, dialog.target = response.get("to"), response.target
            dialog.ack()
            caller.send(dialog.request("BYE"))
            called.answer_bye()
        assert body not in response.body
        assert caller.options() < 0.5


def test_a_body_over_the_limit(target: Switch) -> None:
    """A7: 70 KB over TCP: 413 or the end of the connection; nobody is called."""
    with (
        fresh_phone(target, "tcp") as caller,
        fresh_phone(target) as callee,
    ):
        assert callee.register().status == 200
        data = caller.request(
            "INVITE", f"sip:{callee.user}@{caller.domain}", body=_HEAD.encode() + b"a=x\r\n" * 14000
        )
        try:
            caller.send(data)
            assert caller.final(3).status == 413
        except (SilenceError, ConnectionError):
            assert caller.is_closed_by_remote or caller.receive(1) is None
        assert callee.hears_nothing(0.2)
    with fresh_phone(target) as probe:
        assert probe.options() < 0.5


def nested(levels: int) -> bytes:
    """A multipart body inside a multipart body, and so on (RFC 2046 §5.1)."""
    head = "".join(
        f"--b{n}\r\nContent-Type: multipart/mixed;boundary=b{n + 1}\r\n\r\n" for n in range(levels)
    )
    return head.encode() + b"--b%d\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n" % levels


@pytest.mark.parametrize("levels", [1, 4, 5, 600])
def test_nested_bodies(target: Switch, levels: int) -> None:
    """B5: 600 levels over the wire: refused, no stack is used up."""
    with (
        fresh_phone(target, "tcp") as caller,
        fresh_phone(target) as callee,
    ):
        assert callee.register().status == 200
        response = offer(target, caller, callee.user, nested(levels), "multipart/mixed;boundary=b0")
        assert response.status in REFUSALS
        assert callee.hears_nothing(0.1)
        assert caller.options() < 0.5


def test_ten_thousand_parts(target: Switch) -> None:
    """B5: many parts instead of deep ones."""
    with (
        fresh_phone(target, "tcp") as caller,
        fresh_phone(target) as callee,
    ):
        assert callee.register().status == 200
        assert (
            offer(target, caller, callee.user, b"--b0\r\n\r\n" * 7000, "multipart/mixed;boundary=b0").status
            in REFUSALS
        )
        assert caller.options() < 0.5
