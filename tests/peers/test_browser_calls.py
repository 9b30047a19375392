"""An unmodified browser and a desk phone call each other: SIP.js and JsSIP in headless Chromium, baresip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from switchroom.switch.ops.cli.certificate import make_certificate

from . import jssip
from .baresip import Baresip, write_tone
from .browser import (
    SIP_JS,
    Browser,
    Page,
    dial,
    media_of_call,
    npm_package,
    sip_phone,
    video_of_call,
    wait_to_hear,
)
from .harness import PASSWORD, Switch, Table, user, users, wait_until
from .ports import free_port

pytestmark = [pytest.mark.peer("chromium", "npm", "baresip"), pytest.mark.slow]

DESK, WEB, OPUS, ECHO = "1001", "1002", "1003", "99"
DESK_TONE, WEB_TONE = 440.0, 1000.0


class House:
    """A switch, a desk phone that knows G.711 only, and a browser."""

    def __init__(self, folder: Path, browser: Browser, switch: Switch, desk: Baresip, server: str) -> None:
        self.folder, self.browser, self.switch, self.desk, self.server = folder, browser, switch, desk, server

    def page(self, name: str, *, bundle: str = "balanced") -> Page:
        page = self.browser.page()
        sip_phone(page, name, PASSWORD, self.server, bundle=bundle)
        return page

    def call(self) -> Table:
        return wait_until(
            lambda: next((c for c in self.switch.calls() if c["state"] == "up"), None), 5.0, "a call"
        )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    certificate = folder / "switch.pem"
    certificate.write_bytes(make_certificate(["localhost", "127.0.0.1"]))
    people = [*users([DESK, WEB]), user(OPUS, codecs=["opus"])]
    switch = Switch(
        folder / "switch",
        users=people,
        tls={"certificate": str(certificate)},
        routes=[{"match": ECHO, "to": "app:echo"}],
    )
    port = free_port()
    switch.config["sip"]["listen"].append(f"wss:127.0.0.1:{port}")
    microphone = write_tone(folder / "microphone.wav", WEB_TONE, 4.0, 48000)
    desk = Baresip(folder / "desk", DESK, PASSWORD, switch.address, tone=DESK_TONE, codec="PCMA/8000/1")
    libraries = jssip.library(folder / "libraries")
    (libraries / "lib").symlink_to(npm_package(SIP_JS) / "lib")
    with Browser(folder / "browser", libraries, microphone) as browser:
        switch.config["websocket"] = {"origins": [browser.origin]}
        with switch:
            desk.start()
            desk.wait_registered()
            yield House(folder, browser, switch, desk, f"wss://127.0.0.1:{port}")
            desk.stop()


def test_a_browser_calls_a_desk_phone(house: House) -> None:
    page = house.page(WEB)
    dial(page, DESK)
    house.desk.wait_for("CALL_ESTABLISHED")
    wait_to_hear(page, DESK_TONE)
    house.desk.wait_to_hear(WEB_TONE)
    told = media_of_call(page)
    assert told["state"] == told["ice"] == "connected"
    assert told["codec"] == "audio/PCMA"
    assert house.call()["secured"] == ["DTLS AES_CM_128_HMAC_SHA1_80", "no"]
    page.run("await calls[0].bye();")
    house.desk.wait_for("CALL_CLOSED")
    record = house.switch.wait_record(lambda row: row["from_user"] == WEB)
    assert record["a_packets"] > 50
    assert record["b_packets"] > 50
    page.leave()


def test_a_desk_phone_calls_a_browser_that_speaks_opus(house: House) -> None:
    page = house.page(OPUS)
    since, heard = len(house.desk.events), len(house.desk.heard()[0])
    house.desk.dial(OPUS)
    house.desk.wait_for("CALL_ESTABLISHED", since=since)
    page.wait_for("calls.length && calls[0].state === 'Established'")
    wait_to_hear(page, DESK_TONE)
    house.desk.wait_to_hear(WEB_TONE, after=heard)
    assert media_of_call(page)["codec"] == "audio/opus"
    house.desk.hang_up()
    page.wait_for("calls[0].state === 'Terminated'")
    page.leave()


def test_two_browsers_see_and_hear_each_other(house: House) -> None:
    """Sound and picture on one transport each (BUNDLE, max-bundle); pictures pass untouched."""
    one, other = house.page(WEB, bundle="max-bundle"), house.page(OPUS, bundle="max-bundle")
    dial(one, OPUS, has_video=True)
    other.wait_for("calls.length && calls[0].state === 'Established'")
    for page in (one, other):
        wait_to_hear(page, WEB_TONE)
    for page in (one, other):
        seen = video_of_call(page, 20)
        assert seen["transports"] == 1
    one.run("await calls[0].bye();")
    for page in (one, other):
        page.leave()


def test_a_picture_that_nobody_takes_is_refused(house: House) -> None:
    """A browser offers sound and picture to a desk phone, and to the switch itself, which have no eyes."""
    for number, tone in ((DESK, DESK_TONE), (ECHO, WEB_TONE)):
        page = house.page(WEB, bundle="max-bundle")
        dial(page, number, has_video=True)
        wait_to_hear(page, tone)
        page.run("await calls[0].bye();")
        page.leave()


def test_another_library_calls_and_is_called(house: House) -> None:
    """JsSIP: both ways with the desk phone."""
    page = house.browser.page()
    jssip.jssip_phone(page, WEB, PASSWORD, house.server)
    for is_caller in (True, False):
        since, heard = len(house.desk.events), len(house.desk.heard()[0])
        if is_caller:
            jssip.dial(page, DESK)
        else:
            page.run("calls.length = 0;")
            house.desk.dial(WEB)
            page.wait_for("calls.length && calls[0].isEstablished()")
        house.desk.wait_for("CALL_ESTABLISHED", since=since)
        wait_to_hear(page, DESK_TONE)
        house.desk.wait_to_hear(WEB_TONE, after=heard)
        page.run("calls[0].sendDTMF('5');")  # by INFO: the desk phone has it as telephone-event
        assert house.desk.wait_for("CALL_DTMF_START", since=since)["param"] == "5"
        page.run("calls[0].terminate();")
        house.desk.wait_for("CALL_CLOSED", since=since)
    page.leave()
