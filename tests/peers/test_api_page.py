"""A browser opens /docs, and sends a text by its form."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from twilio.rest import Client

from switchroom.switch.twilio import HttpClient

from .browser import PATIENCE, Browser, Page
from .harness import Switch
from .ports import free_port
from .test_api import OURS, SID, THEIRS, TOKEN

BODY = "<b>from a page</b>"
FILL = f"""
    const who = document.getElementById("who").elements;
    who.user.value = "{SID}";
    who.secret.value = "{TOKEN}";
    const wanted = [...document.querySelectorAll("details")].find(
        one => one.dataset.words.startsWith("post") && one.dataset.words.includes("/messages.json"));
    wanted.open = true;
    while (!wanted.querySelector("form")) await new Promise(go => setTimeout(go, 20));
    const form = wanted.querySelector("form");
    form.elements.To.value = "{THEIRS}";
    form.elements.From.value = "{OURS}";
    form.elements.Body.value = "{BODY}";
    form.requestSubmit();
"""


ANSWERS = "[...document.querySelectorAll('pre')].map(one => one.textContent)"


def opened(page: Page, url: str) -> Page:
    """The page at another address, as soon as it shows all operations."""
    page.run(f"setTimeout(() => {{ location = '{url}' }}, 0);")
    until = time.monotonic() + PATIENCE
    while True:
        try:
            page.wait_for("document.querySelectorAll('details').length > 100", 5.0)
            return page
        except AssertionError:  # it was asked while it was leaving
            assert time.monotonic() < until


@pytest.mark.peer("chromium")
def test_a_text_is_sent_by_the_page(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    api = {
        "rest": [url.replace("//", "")],
        "account_sid": SID,
        "auth_token": TOKEN,
        "numbers": [OURS],
        "docs": True,
    }
    with Switch(tmp_path / "switch", users=[], api=api, sms={"enabled": True}) as switch:
        switch.wait_said("api.started")
        client = Client(SID, TOKEN, http_client=HttpClient(url))
        client.incoming_phone_numbers.create(phone_number=OURS)
        with Browser(tmp_path / "browser", tmp_path) as browser:
            page = opened(browser.page(), f"{url}/docs")
            page.run(FILL)
            answer = page.wait_for(f"{ANSWERS}.find(text => text.length > 2)")
            assert answer.startswith("201 ")
            assert page.run("return document.querySelectorAll('pre b').length") == 0  # text, not markup
        (message,) = client.messages.list()
        assert (message.to, message.body) == (THEIRS, BODY)
