"""A changed configuration is applied with a call up; a broken file changes nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from twilio.rest import Client

from .harness import PASSWORD, Switch, user, users, wait_until
from .phone import Phone, bridge
from .ports import free_port
from .test_api import SID, TOKEN


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Switch]:
    with Switch(tmp_path, users=users([1001, 1002])) as running:
        yield running


def apply(switch: Switch, how: str) -> None:
    if how == "signal":
        os.kill(switch.pid, signal.SIGHUP)
    else:
        done = switch.cli("reload")
        assert done.returncode == 0, done.stderr


def can_register(switch: Switch, name: str, password: str = PASSWORD) -> bool:
    with Phone(switch.address, name, password) as phone:
        return phone.register().status == 200


@pytest.mark.parametrize("how", ["signal", "command"])
def test_a_new_user_and_a_call_that_stays(own: Switch, how: str) -> None:
    with Phone(own.address, "1001", PASSWORD) as a, Phone(own.address, "1002", PASSWORD) as b:
        assert b.register().status == 200
        caller, callee = bridge(a, b)
        (before,) = own.calls()
        assert not can_register(own, "1003")
        own.config["users"].append(user("1003"))
        own.write()
        apply(own, how)
        wait_until(lambda: can_register(own, "1003"), 5, "the new user")
        assert [c["id"] for c in own.calls()] == [before["id"]]
        b.send(callee.request("INVITE", body=b""))  # the call still lives: a re-INVITE reaches the other side
        caller.wait_for("INVITE")
        a.send(caller.request("BYE"))
        callee.answer_bye()


def test_a_removed_user_and_a_changed_password(own: Switch) -> None:
    assert can_register(own, "1001")
    own.config["users"] = [user("1001", "another-secret")]
    own.write()
    apply(own, "command")
    assert not can_register(own, "1001")
    assert not can_register(own, "1002")
    assert can_register(own, "1001", "another-secret")


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("this is not TOML [", "switchroom.toml"),
        ('[media]\nports = "5-1"\n', "media.ports"),
        ("[sip]\nt1 = -3\n", "sip.t1"),
        ("[sip]\nno_such_key = 1\n", "no_such_key"),
    ],
)
def test_a_broken_file_is_refused(own: Switch, broken: str, told: str) -> None:
    with Phone(own.address, "1001", PASSWORD) as a, Phone(own.address, "1002", PASSWORD) as b:
        assert b.register().status == 200
        caller, callee = bridge(a, b)
        own.file.write_text(broken)
        done = own.cli("reload")
        assert done.returncode == 2
        assert told in done.stderr
        assert "Traceback" not in done.stderr
        size = own.log.stat().st_size
        os.kill(own.pid, signal.SIGHUP)
        wait_until(lambda: told in own.log.read_text()[size:], 5, "the reason in the log")
        assert own.is_alive
        assert can_register(own, "1002")
        a.send(caller.request("BYE"))
        callee.answer_bye()


def test_rest_shows_new_users_and_trunks_at_once(tmp_path: Path) -> None:
    rest = free_port()
    api = {"rest": [f"http:127.0.0.1:{rest}"], "account_sid": SID, "auth_token": TOKEN}
    with Switch(tmp_path, users=users([1001]), api=api) as own:
        own.wait_said("api.started")
        client = Client(SID, TOKEN)
        client.api.base_url = client.trunking.base_url = f"http://127.0.0.1:{rest}"
        [listed] = client.sip.credential_lists.list()
        credentials = client.sip.credential_lists(listed.sid).credentials
        assert [one.username for one in credentials.list()] == ["1001"]
        own.config["users"].append(user("1002"))
        own.config["trunks"] = [{"name": "out", "address": "sip:127.0.0.9", "sources": ["127.0.0.9"]}]
        own.write()
        apply(own, "command")
        assert [one.username for one in credentials.list()] == ["1001", "1002"]
        assert [one.friendly_name for one in client.trunking.v1.trunks.list()] == ["out"]
        assert [one.friendly_name for one in client.sip.ip_access_control_lists.list()] == ["out"]
