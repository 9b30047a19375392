"""sipsak, the tool with which many will try first whether the switch is there."""

from __future__ import annotations

import subprocess

import pytest

from .conftest import next_name
from .harness import PASSWORD, Switch
from .ports import free_port

pytestmark = pytest.mark.peer("sipsak")


def sipsak(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sipsak", "-l", str(free_port()), *arguments], capture_output=True, text=True, timeout=20
    )


def register(switch: Switch, name: str, password: str) -> subprocess.CompletedProcess[str]:
    """The port goes in -r: sipsak 0.9.8 cuts off its last digit when it stands in the URI."""
    contact = f"sip:{name}@127.0.0.1:{free_port()}"
    return sipsak(
        *("-U", "-i", "-vv", "-C", contact, "-u", name, "-a", password, "-x", "120"),
        *("-s", f"sip:{name}@127.0.0.1", "-r", str(switch.port)),
    )


def test_options_is_answered(switch: Switch) -> None:
    done = sipsak("-vv", "-s", f"sip:127.0.0.1:{switch.port}")
    assert done.returncode == 0, done.stdout
    assert "SIP/2.0 200" in done.stdout
    assert "INVITE" in done.stdout[done.stdout.index("Allow:") :].splitlines()[0]


def test_registers_with_digest(switch: Switch) -> None:
    name = next_name()
    done = register(switch, name, PASSWORD)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = [r for r in switch.registrations() if r["user"] == name]
    assert found["contact"].startswith(f"sip:{name}@127.0.0.1")


def test_a_wrong_password_is_refused(switch: Switch) -> None:
    name = next_name()
    done = register(switch, name, "wrong")
    assert done.returncode != 0
    assert "401 Unauthorized" in done.stderr
    assert not [r for r in switch.registrations() if r["user"] == name]
