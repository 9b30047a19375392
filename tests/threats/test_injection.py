"""THREATS C7, C8: what a phone writes never becomes a header, a line or an identity of ours."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from ..peers.answerer import Answerer
from ..peers.harness import Switch
from ..peers.phone import Phone
from ..peers.raw import Message, SilenceError, audio
from .conftest import fresh_phone

MARK = "X-Injected: yes"
# Whatever some language or library takes for the end of a line, and escapes of it
ENDS = {
    "lf": "\n",
    "cr": "\r",
    "crlf space": "\r\n ",
    "lf lf": "\n\n",
    "nul": "\0",
    "vt": "\v",
    "ff": "\f",
    "fs": "\x1c",
    "gs": "\x1d",
    "rs": "\x1e",
    "nel": "\x85",
    "ls": "\u2028",
    "ps": "\u2029",
    "escape": "%0d%0a",
    "quoted": '"\r\n',
}
# Headers that a phone may send and that travel, or whose value does
PLACES = ("From", "Subject", "User-Agent", "Reason", "User-to-User", "Alert-Info", "Contact")
_LINES = {"\n", "\r", "\0", "\v", "\f", "\x1c", "\x1d", "\x1e"}


def poisoned(phone: Phone, place: str, end: str) -> tuple[str, list[tuple[str, str]]]:
    """From, and the other headers, of a request that wants more lines than it has."""
    text = f"a{end}{MARK}"
    from_ = f'"{text}" {phone.identity}' if place == "From" else phone.identity
    headers = {
        "Reason": f'SIP;cause=200;text="{text}"',
        "Alert-Info": f"<http://example.test/{text}>",
        "Contact": f'"{text}" {phone.contact}',
    }
    more = [] if place == "From" else [(place, headers.get(place, text))]
    return f"{from_};tag={secrets.token_hex(4)}", more


def assert_sound(message: Message) -> None:
    """No line of ours that the sender wrote, and no octet in a value that might end one."""
    assert "x-injected" not in {name.lower() for name, _ in message.headers}, message
    for _, value in message.headers:
        assert not _LINES & set(value), message


@pytest.fixture
def callee(target: Switch) -> Iterator[tuple[str, Answerer]]:
    """A user whose phone declines every call and keeps what it got."""
    with fresh_phone(target) as phone:
        assert phone.register().status == 200
        with Answerer(status=603, wire=phone) as answerer:
            yield phone.user, answerer


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_no_octet_becomes_a_line(
    target: Switch, alice: Phone, callee: tuple[str, Answerer], place: str, method: str
) -> None:
    """C7: requests with what may end a line in one of seven headers: refused, or passed on in one piece."""
    user, answerer = callee
    uri = f"sip:{user}@{alice.domain}"
    answers = []
    for end in ENDS.values():
        from_, headers = poisoned(alice, place, end)
        body = audio("127.0.0.1", 40000) if method == "INVITE" else b"hello"
        if method == "MESSAGE":
            headers = [*headers, ("Content-Type", "text/plain")]
        try:
            answer, _ = alice.ask(method, uri, from_=from_, headers=headers, body=body, timeout=0.25)
        except SilenceError:
            continue  # nobody could say whom to answer
        assert_sound(answer)
        assert answer.status < 500 or answer.status == 603
        answers.append(answer.status)
    arrived = answerer.seen.get(method, [])
    for message in arrived:
        assert_sound(message)
    assert arrived  # some of it is harmless, and does travel
    assert 400 in answers  # the rest is refused
    assert alice.options() < 0.5


@pytest.mark.parametrize("user", ["a%0d%0aX-Injected:%20yes", "a%0aX-Injected:yes", "a%00b"])
def test_escapes_of_a_uri_stay_escapes(
    target: Switch, alice: Phone, callee: tuple[str, Answerer], user: str
) -> None:
    """C7: %0d%0a in Contact, Refer-To's kind of headers behind "?" in the Request-URI."""
    name, answerer = callee
    contact = ("Contact", f"<sip:{user}@{alice.here}>")
    body = audio("127.0.0.1", 40000)
    alice.ask("INVITE", f"sip:{name}@{alice.domain}", headers=[contact], body=body)
    alice.ask("INVITE", f"sip:{user}@{alice.domain}", body=body)
    answer, _ = alice.ask("INVITE", f"sip:{name}@{alice.domain}?Subject={user}", body=body)
    assert answer.status == 400
    assert answerer.count("INVITE") == 1
    for message in answerer.seen["INVITE"]:
        assert_sound(message)


# ---- C8

CLAIM = "+882999000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("P-Asserted-Identity", f"<sip:{CLAIM}@carrier.test>"),
        ("P-Asserted-Identity", f"<tel:{CLAIM}>"),
        ("P-Preferred-Identity", f"<sip:{CLAIM}@carrier.test>"),
        ("Remote-Party-ID", f"<sip:{CLAIM}@carrier.test>;party=calling;screen=yes"),
        ("Diversion", f"<sip:{CLAIM}@carrier.test>;reason=unconditional"),
        ("History-Info", f"<sip:{CLAIM}@carrier.test>;index=1"),
        ("X-Internal-Caller", CLAIM),
        ("P-Charging-Vector", f"icid-value={CLAIM}"),
        ("P-Charge-Info", f"<sip:{CLAIM}@carrier.test>"),
        ("Referred-By", f"<sip:{CLAIM}@carrier.test>"),
        ("Identity", f"{CLAIM}.x.y;info=<https://example.test/c.pem>"),
        (
            "Authorization",
            f'Digest username="{CLAIM}", realm="elsewhere", nonce="x", uri="sip:x", response="0"',
        ),
    ],
)
def test_nobody_is_believed_to_be_another(
    target: Switch, alice: Phone, callee: tuple[str, Answerer], name: str, value: str
) -> None:
    """C8: what an untrusted leg asserts does not reach the other leg; the account's own number does."""
    user, answerer = callee
    uri = f"sip:{user}@{alice.domain}"
    answer, _ = alice.ask("INVITE", uri, headers=[(name, value)], body=audio("127.0.0.1", 40000))
    assert answer.status == 603
    (invite,) = answerer.seen["INVITE"]
    assert CLAIM not in invite.start + "".join(text for _, text in invite.headers) + invite.body.decode()
    assert alice.user in invite.get("from")
