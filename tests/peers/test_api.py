"""The client of PyPI against a running switch: by one line, by our HttpClient, and by environment alone."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from switchroom.switch.twilio import AsyncHttpClient, HttpClient

from .harness import PASSWORD, Switch, user, wait_until
from .phone import Phone
from .ports import free_port
from .raw import audio, response_to

SID, TOKEN = "AC" + "0" * 31 + "1", "0123456789abcdef0123456789abcdef"
OURS, THEIRS = "+15017122661", "+15558675310"
SDP = [("Content-Type", "application/sdp")]


class Hooks:
    """What a customer's server hears."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.heard: list[tuple[str, dict[str, str], str]] = []
        self.answers: dict[str, str] = {}
        self.files: dict[str, bytes] = {}  # sounds
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(parse_qsl(body, keep_blank_values=True))
                hooks.heard.append((self.path, form, self.headers["X-Twilio-Signature"]))
                answer = hooks.answers.get(self.path, "").encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self) -> None:
                data = hooks.files.get(self.path, b"")
                self.send_response(200 if data else 404)
                self.send_header("Content-Type", "audio/wav")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def rest_of(port: int, *numbers: str, **more: Any) -> dict[str, Any]:
    """[api] with REST on a port, for the account of the tests; webhooks may come to this machine."""
    return {
        "rest": [f"http:127.0.0.1:{port}"],
        "account_sid": SID,
        "auth_token": TOKEN,
        "numbers": list(numbers),
        "webhook_private": ["127.0.0.0/8"],
        **more,
    }


def client_at(port: int) -> Client:
    """The client of PyPI, led there by one line."""
    client = Client(SID, TOKEN)
    client.api.base_url = f"http://127.0.0.1:{port}"
    return client


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    rest, proxy = free_port(), free_port()
    api = rest_of(rest, OURS, rest=[f"http:127.0.0.1:{rest}", f"proxy:127.0.0.1:{proxy}"])
    people = [user("1001", number=THEIRS), user("1002", number="1002")]
    with Switch(tmp_path_factory.mktemp("api"), users=people, api=api) as switch:
        switch.wait_said("api.started")
        client = client_at(rest)
        client.incoming_phone_numbers.create(phone_number=OURS)
        with Phone(switch.address, "1001", PASSWORD) as phone:
            assert phone.register().status == 200
            yield switch, client, phone, f"http://127.0.0.1:{rest}", f"http://127.0.0.1:{proxy}"


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    yield hooks
    hooks.stop()


def receive(phone: Phone) -> str:
    message = phone.expect("MESSAGE", 10)
    phone.send(response_to(message, 200, tag="raw"))
    return message.body.decode()


def test_the_text_reaches_the_phone_and_the_callbacks_tell(place: Any, hooks: Hooks) -> None:
    _, client, phone, _, _ = place
    made = client.messages.create(
        from_=OURS, body="Hi there", to=THEIRS, status_callback=hooks.url + "/status"
    )
    assert made.status == "queued"
    assert receive(phone) == "Hi there"
    wait_until(lambda: hooks.heard and hooks.heard[-1][1]["MessageStatus"] == "delivered", 10, "delivered")
    assert client.messages(made.sid).fetch().status == "delivered"
    for path, form, signature in hooks.heard:
        assert RequestValidator(TOKEN).validate(hooks.url + path, form, signature)


def test_a_phone_writes_to_a_number_and_is_answered(place: Any, hooks: Hooks) -> None:
    _, client, phone, _, _ = place
    number = client.incoming_phone_numbers.list(phone_number=OURS)[0]
    number.update(sms_url=hooks.url + "/sms")
    hooks.answers["/sms"] = "<Response><Message>Echo: yes</Message><Message>And more</Message></Response>"
    headers = [("Content-Type", "text/plain")]
    phone.ask("MESSAGE", f"sip:{OURS}@127.0.0.1", headers=headers, body=b"anybody there?")
    assert receive(phone) == "Echo: yes"
    assert receive(phone) == "And more"
    _, form, _ = hooks.heard[0]
    assert (form["From"], form["To"], form["Body"]) == (THEIRS, OURS, "anybody there?")


def test_by_our_client(place: Any) -> None:
    _, _, phone, rest, _ = place
    client = Client(SID, TOKEN, http_client=HttpClient(rest))
    client.messages.create(from_=OURS, body="by HttpClient", to=THEIRS)
    assert receive(phone) == "by HttpClient"
    service = client.messaging.v1.services.create("Shop")
    assert [s.sid for s in client.messaging.v1.services.list(page_size=1)] == [service.sid]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the client of PyPI does
async def test_by_our_client_without_waiting(place: Any) -> None:
    _, _, phone, rest, _ = place
    http = AsyncHttpClient(rest)
    client = Client(SID, TOKEN, http_client=http)
    made = await client.messages.create_async(from_=OURS, body="by asyncio", to=THEIRS)
    assert receive(phone) == "by asyncio"
    assert (await client.messages(made.sid).fetch_async()).sid == made.sid
    await http.close()


def test_the_stream_has_what_telephones_do(place: Any) -> None:
    _, _, phone, rest, _ = place
    phone.ask("INVITE", "sip:1002@127.0.0.1", body=audio("127.0.0.1", 40000), headers=SDP)  # is not there
    found: list[dict[str, Any]] = []
    with requests.get(f"{rest}/events", auth=(SID, TOKEN), stream=True, timeout=10) as response:
        for line in response.iter_lines():
            if re.search(rb"^data: .*switchroom.switch.(call|reg)", line):
                found.append(json.loads(line[6:]))
                if found[-1]["type"].endswith("call.ended"):
                    break
    kinds = [event["type"].removeprefix("switchroom.switch.") for event in found]
    assert kinds == ["registration.changed", "call.ended"]
    assert found[0]["data"] == {"user": "1001", "contacts": 1}
    assert place[0].metric("switchroom_api_requests_total") > 0
    assert place[0].metric("switchroom_api_webhooks_waiting") == 0
    ended = found[-1]["data"]
    assert (ended["from"], ended["to"], ended["cause"], ended["duration"]) == (THEIRS, "1002", 480, 0.0)


PROGRAM = f"""
from twilio.rest import Client
message = Client().messages.create(from_='{OURS}', body='by environment', to='{THEIRS}')
print(message.sid, message.status)
services = Client().messaging.v1.services.list(limit=1)
"""


def test_by_environment_alone(place: Any, tmp_path: Path) -> None:
    switch, _, phone, _, proxy = place
    bundle = tmp_path / "ca.pem"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "switchroom.switch",
            "api",
            "certificate",
            "-o",
            str(bundle),
            "-c",
            switch.file,
        ],
        check=True,
        timeout=30,
        capture_output=True,
    )
    environment = {
        **os.environ,
        "HTTPS_PROXY": proxy,
        "REQUESTS_CA_BUNDLE": str(bundle),
        "TWILIO_ACCOUNT_SID": SID,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_EDGE": "dublin",
        "TWILIO_REGION": "ie1",
    }
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        environment.pop(name, None)
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("SM")
    assert receive(phone) == "by environment"
