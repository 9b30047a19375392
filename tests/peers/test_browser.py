"""A browser is a phone: SIP.js in headless Chromium registers over secure WebSocket and exchanges texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchroom.switch.ops.cli.certificate import make_certificate

from .browser import SIP_JS, Browser, npm_package, sip_phone
from .harness import PASSWORD, Switch, users, wait_until
from .ports import free_port

pytestmark = [pytest.mark.peer("chromium", "npm"), pytest.mark.slow]


def test_two_browsers_register_and_send_each_other_a_text(tmp_path: Path) -> None:
    certificate = tmp_path / "switch.pem"
    certificate.write_bytes(make_certificate(["localhost", "127.0.0.1"]))
    switch = Switch(tmp_path / "switch", users=users([1001, 1002]), tls={"certificate": str(certificate)})
    port = free_port()
    switch.config["sip"]["listen"].append(f"wss:127.0.0.1:{port}")
    switch.config["websocket"] = {"path": "/sip"}
    server = f"wss://127.0.0.1:{port}/sip"
    with Browser(tmp_path / "browser", npm_package(SIP_JS)) as browser:
        switch.config["websocket"]["origins"] = [browser.origin]
        with switch:
            alice, bob = browser.page(), browser.page()
            sip_phone(alice, "1001", PASSWORD, server)
            sip_phone(bob, "1002", PASSWORD, server)
            found = {r["user"]: r for r in switch.registrations()}
            assert {r["source"].partition(":")[0] for r in found.values()} == {"wss"}
            assert set(found) == {"1001", "1002"}
            alice.run("""
                const bob = UserAgent.makeURI("sip:1002@127.0.0.1");
                await new Messager(ua, bob, "Grüße aus dem Browser").message();
            """)
            assert bob.wait_for("heard[0]") == "Grüße aus dem Browser"
            alice.run("await registerer.unregister();")
            wait_until(lambda: len(switch.registrations()) == 1, 5.0, "one registration")
            bob.close()  # the tab stays: the connection is the page's
            bob_again = browser.page()
            sip_phone(bob_again, "1002", PASSWORD, server)
            bob_again.run("ua.transport._ws.close(); return 1;")
            wait_until(lambda: len(switch.registrations()) == 1, 5.0, "the lost connection's contact is gone")
