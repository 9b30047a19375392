"""The client of PyPI over TLS against a running switch: texts to a carrier and to a modem's network and back.

The webhooks go over TLS too, and their signatures are what the client's own validator wants.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from switchroom.switch.twilio import HttpClient
from tests.switch.net.certificates import Authority

from .harness import Switch, wait_until
from .modems import FIRST, SECOND, ModemSimulator
from .ports import free_port
from .smsc import SmscSimulator, trunk
from .test_api import Hooks

SID, TOKEN = "AC" + "0" * 31 + "1", "0123456789abcdef0123456789abcdef"
OURS = "+15017122661"


class Place(NamedTuple):
    client: Any
    hooks: Hooks
    carrier: SmscSimulator
    network: ModemSimulator
    switch: Switch


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("ways")
    authority = Authority(folder)
    certificate = authority.sign("127.0.0.1", "localhost")
    rest = free_port()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ExitStack() as stack:
        carrier = stack.enter_context(SmscSimulator(folder, "--set", "delay=0.02"))
        network = stack.enter_context(ModemSimulator(folder))
        hooks = Hooks(context)
        stack.callback(hooks.stop)
        switch = Switch(
            folder / "switch",
            users=[],
            tls={"certificate": certificate, "ca_file": authority.file},
            api={
                "rest": [f"https:127.0.0.1:{rest}"],
                "account_sid": SID,
                "auth_token": TOKEN,
                "numbers": [OURS],
                "webhook_private": ["127.0.0.0/8"],
            },
            smpp_trunks=[trunk("carrier", carrier.address)],
            modems=[{"name": "gsm", "port": network.port(1), "number": FIRST}],
            sms_routes=[
                {"name": "mobile", "match": f"{SECOND[:-1]}*", "to": "modem:gsm"},
                {"name": "all", "match": "+*", "to": "trunk:carrier"},
            ],
        )
        stack.enter_context(switch)
        switch.wait_said("api.started")
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("REQUESTS_CA_BUNDLE", authority.file)
        client = Client(SID, TOKEN, http_client=HttpClient(f"https://127.0.0.1:{rest}"))
        client.incoming_phone_numbers.create(phone_number=OURS, sms_url=hooks.url + "/sms")
        yield Place(client, hooks, carrier, network, switch)
        assert TOKEN not in switch.said(1_000_000)


def statuses(hooks: Hooks, sid: str) -> list[str]:
    """What the callbacks of a message said, in the order in which they came; all are signed."""
    said = []
    for path, form, signature in hooks.heard:
        if path == "/status" and form["MessageSid"] == sid:
            assert RequestValidator(TOKEN).validate(hooks.url + path, form, signature)
            said.append(form["MessageStatus"])
    return said


def test_to_a_carrier_and_back(place: Place) -> None:
    send = place.client.messages.create
    made = send(from_=OURS, to="+4917112345678", body="Grüße", status_callback=place.hooks.url + "/status")
    wait_until(lambda: statuses(place.hooks, made.sid)[-1:] == ["delivered"], 15, "delivered")
    assert statuses(place.hooks, made.sid) == ["sent", "delivered"]
    assert place.client.messages(made.sid).fetch().date_sent is not None
    place.carrier.order("rule *99=fail:0xB")
    failed = send(from_=OURS, to="+4917100099", body="x", status_callback=place.hooks.url + "/status")
    wait_until(lambda: statuses(place.hooks, failed.sid)[-1:] == ["failed"], 15, "failed")
    assert place.client.messages(failed.sid).fetch().error_code is not None


def test_a_carriers_reply_comes_to_the_webhook_and_its_answer_goes_out(place: Place) -> None:
    place.hooks.answers["/sms"] = "<Response><Message>pong</Message></Response>"
    place.carrier.order("rule *77=reply")
    place.client.messages.create(from_=OURS, to="+49171177", body="ping")
    wait_until(lambda: [f for p, f, _ in place.hooks.heard if p == "/sms"], 15, "the reply")
    path, form, signature = next(one for one in place.hooks.heard if one[0] == "/sms")
    assert (form["From"], form["To"], form["Body"]) == ("+49171177", OURS, "ping")
    assert RequestValidator(TOKEN).validate(place.hooks.url + path, form, signature)
    found = wait_until(
        lambda: [m for m in place.client.messages.list(to="+49171177") if m.direction == "outbound-reply"],
        15,
        "the answer",
    )
    assert found[0].body == "pong"


def test_through_a_modem_to_a_handset(place: Place) -> None:
    made = place.client.messages.create(
        from_=OURS, to=SECOND, body="by air", status_callback=place.hooks.url + "/status"
    )
    place.network.wait_said(f"submitted: {FIRST} to {SECOND[1:]} by air")
    wait_until(lambda: "sent" in statuses(place.hooks, made.sid), 15, "sent")
