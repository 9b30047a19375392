"""``switchroom serve`` as a process, and the commands that ask it."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switchroom.switch.ops.cli.ask import _text

COMMAND = [sys.executable, "-m", "switchroom.switch"]
QUIET = [
    "--set",
    "api.listen=127.0.0.1:0",
    "--set",
    "api.rest=http:127.0.0.1:0",
    "--set",
    "media.ports=44000-44399",
]
ANYWHERE = ["--set", "sip.listen=udp:127.0.0.1:0,tcp:127.0.0.1:0", *QUIET]


class Service:
    """One ``switchroom serve`` in a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.log = (folder / "serve.err").open("w+")
        self.process = subprocess.Popen(
            [*COMMAND, "serve", *(options or ANYWHERE)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.welcome = self._read_welcome()

    def _read_welcome(self) -> str:
        shown = ""
        assert self.process.stdout is not None
        while "Ask it" not in shown and (line := self.process.stdout.readline()):
            shown += line
        return shown

    def ask(self, *arguments: str) -> Any:
        result = subprocess.run(
            [*COMMAND, *arguments, "--json"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        status = self.process.wait(15)
        self.process.stdout.close()
        self.log.close()
        return status

    @property
    def said(self) -> str:
        return (self.folder / "serve.err").read_text()

    def wait_said(self, text: str) -> str:
        """Wait for a line of the log."""
        until = time.monotonic() + 10
        while not (found := re.search(f".*{text}.*", self.said)):
            assert time.monotonic() < until, self.said
            time.sleep(0.02)
        return found[0]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("serve"))
    yield running
    running.stop()


def fails(folder: Path, *options: str) -> str:
    """What a serve says that cannot start."""
    result = subprocess.run(
        [*COMMAND, "serve", *options], cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_the_welcome_tells_a_newcomer_what_to_do(service: Service) -> None:
    shown = service.welcome
    assert "It has written a first configuration: switchroom.toml" in shown
    assert re.search(r"Point a phone at\n  127\.0\.0\.1:\d+ \(UDP\)\n  127\.0\.0\.1:\d+ \(TCP\)\n", shown)
    passwords = re.findall(r'^password = "(.*)"$', (service.folder / "switchroom.toml").read_text(), re.M)
    assert len(passwords) == 2
    for user, password in zip(("1001", "1002"), passwords, strict=True):
        assert f"  user {user}   password {password}   number {user}\n" in shown
    assert re.search(r"^  1000 +1001, 1002$", shown, re.M)
    assert " -m switchroom.switch phone --help" in shown  # as it was started here
    assert re.search(r"http://127\.0\.0\.1:\d+/metrics", shown)
    assert re.search(
        r"^REST     http://127\.0\.0\.1:\d+/docs   account and token: .* api account$", shown, re.M
    )
    assert not any(password in service.said for password in passwords)


def test_what_it_writes_is_for_its_owner_alone(service: Service) -> None:
    for path in (service.folder / "switchroom.toml", *(service.folder / "state").iterdir()):
        assert stat.S_IMODE(path.lstat().st_mode) == 0o600, path


def test_the_commands_ask_it(service: Service) -> None:
    status = service.ask("status")
    assert status["registrations"] == status["calls"] == 0
    assert len(status["listen"]) == 2
    assert service.ask("registrations") == []
    assert service.ask("calls") == []
    elsewhere = subprocess.run(
        [*COMMAND, "status", "-c", str(service.folder / "switchroom.toml")],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert re.search(r"^registrations +0$", elsewhere.stdout, re.M)
    for command, answer in (
        ("registrations", "No phone is registered.\n"),
        ("calls", "No call is in progress.\n"),
    ):
        result = subprocess.run(
            [*COMMAND, command], cwd=service.folder, capture_output=True, text=True, timeout=30, check=True
        )
        assert result.stdout == answer


def test_a_call_that_is_not_there_cannot_be_ended(service: Service) -> None:
    result = subprocess.run(
        [*COMMAND, "hangup", "01a2"],
        cwd=service.folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (result.returncode, result.stderr) == (2, "switchroom: call: 01a2: there is no such call\n")


def test_what_a_phone_says_about_itself_cannot_move_the_cursor() -> None:
    assert _text("Phone\x1b[2J\r\n[red]\u202e") == "Phone·[2J··[red]·"
    assert _text(["udp:a", 3]) == "udp:a, 3"


def test_metrics_and_health(service: Service) -> None:
    address = service.ask("status")["api"]
    with urllib.request.urlopen(f"http://{address}/healthz", timeout=5) as page:
        assert page.read() == b"ok\n"
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as page:
        assert b"switchroom_calls_active 0.0" in page.read()


def test_it_takes_the_files_that_the_system_allows(service: Service) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = Path(f"/proc/{service.process.pid}/limits").read_text()
    found = re.search(r"^Max open files +(\w+) ", limits, re.M)
    assert found is not None
    assert found[1] in (str(hard), "unlimited")


def test_a_reload_applies_a_good_file_and_refuses_a_bad_one(service: Service) -> None:
    path = service.folder / "switchroom.toml"
    before = path.read_text()
    path.write_text(before + '\n[[users]]\nname = "1003"\npassword = "third-password"\n')
    assert service.ask("reload") == {"needs_restart": []}
    path.write_text(before + "\n[sip2]\nt1 = 0\n")
    result = subprocess.run(
        [*COMMAND, "reload"], cwd=service.folder, capture_output=True, text=True, timeout=30, check=False
    )
    assert result.returncode == 2
    assert result.stderr == "switchroom: switchroom.toml: sip2: unknown key; did you mean sip?\n"
    assert service.ask("status")["calls"] == 0  # and it can be asked all the same
    service.process.send_signal(signal.SIGHUP)
    service.wait_said("reload.refused.*sip2.*")
    path.write_text(before.replace("30000-39999", "30000-39990").replace("127.0.0.1:8080", "127.0.0.1:8082"))
    service.process.send_signal(signal.SIGHUP)
    service.wait_said(r"switch.reloaded needs_restart=\[\]")  # --set wins over the file
    path.write_text(before)
    assert service.process.poll() is None


def test_a_reload_tells_what_waits_for_a_restart(tmp_path: Path) -> None:
    service = Service(tmp_path)
    path = tmp_path / "switchroom.toml"
    before = path.read_text()
    path.write_text(before.replace('state_dir = "state"', 'state_dir = "other"'))
    result = subprocess.run(
        [*COMMAND, "reload", "-c", str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 2  # the file now points elsewhere
    service.process.send_signal(signal.SIGHUP)
    assert "switch.state_dir" in service.wait_said("switch.reloaded.*")
    path.write_text(before)
    assert service.stop() == 0


def test_debug_shows_messages_but_no_secrets(tmp_path: Path) -> None:
    """A phone registers, twice with the wrong password; the log is searched for what proves identity."""
    service = Service(tmp_path, *ANYWHERE, "--set", "log.level=debug", "--set", "log.max_rate=1000")
    port = int(service.ask("status")["listen"][0].rsplit(":", 1)[1])
    password = re.findall(r'^password = "(.*)"$', (tmp_path / "switchroom.toml").read_text(), re.M)[0]
    for given, status in ((password, 0), ("a-wrong-password", 1)):
        phone = subprocess.run(
            [*COMMAND, "phone", "--server", f"127.0.0.1:{port}", "--user", "1001"],
            env={**os.environ, "SWITCHROOM_PASSWORD": given},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert phone.returncode == status, phone.stdout + phone.stderr
    path = tmp_path / "switchroom.toml"
    path.write_text(path.read_text().replace("rtp_timeout = 60", "rtp_timeout = 50"))
    assert service.ask("reload") == {"needs_restart": []}
    assert service.stop() == 0
    shown = [line for line in service.said.splitlines() if "sip.message" in line]
    assert any("direction=in" in line and 'message="REGISTER sip:127.0.0.1' in line for line in shown)
    assert any("direction=out" in line and 'message="SIP/2.0 200 OK' in line for line in shown)
    assert any(r"Authorization: Digest username=\"1001\", ***" in line for line in shown)
    for secret in (password, "a-wrong-password"):
        assert secret not in service.said
    assert not re.search(r"response=\W*[0-9a-f]{32}", service.said)
    assert all(line.isprintable() for line in service.said.splitlines())


def test_an_address_in_use_is_one_line(service: Service, tmp_path: Path) -> None:
    udp, tcp = service.ask("status")["listen"]
    for taken in (udp, tcp):
        said = fails(tmp_path, "--set", f"sip.listen={taken}", *QUIET)
        assert said.lower() == f"switchroom: {taken}: address already in use\n"
    said = fails(
        tmp_path, "--set", f"api.listen={service.ask('status')['api']}", "--set", "sip.listen=udp:127.0.0.1:0"
    )
    assert "address already in use" in said
    assert said.startswith("switchroom: api.listen: 127.0.0.1:")


def test_a_state_folder_has_one_switch(service: Service) -> None:
    assert "another switch that is running uses it" in fails(service.folder, *ANYWHERE)
    assert service.ask("status")["calls"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_and_starts_again(tmp_path: Path, number: int) -> None:
    first = Service(tmp_path)
    assert first.stop(number) == 0
    assert "switch.stopped" in first.said
    assert not (tmp_path / "state" / "control.sock").exists()
    again = Service(tmp_path)
    assert "It has written" not in again.welcome
    assert "password as in switchroom.toml" in again.welcome  # standard output is no terminal
    assert again.stop() == 0


def test_a_terminal_shows_the_passwords_again(tmp_path: Path) -> None:
    first = Service(tmp_path)
    first.stop()
    password = re.findall(r'^password = "(.*)"$', (tmp_path / "switchroom.toml").read_text(), re.M)[0]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "serve", *ANYWHERE], cwd=tmp_path, stdout=theirs, stderr=subprocess.DEVNULL
    ) as it:
        os.close(theirs)
        shown = b""
        while b"Ask it" not in shown and select.select([ours], [], [], 15)[0]:
            shown += os.read(ours, 65536)
        it.send_signal(signal.SIGINT)
        assert it.wait(15) == 0
    os.close(ours)
    assert f"password {password}".encode() in shown


def test_impatience_ends_it_at_once(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.process.send_signal(signal.SIGSTOP)
    service.process.send_signal(signal.SIGINT)
    service.process.send_signal(signal.SIGCONT)
    service.process.send_signal(signal.SIGTERM)
    assert service.stop() in (0, 130)


def test_what_is_left_by_kill_9_is_no_obstacle(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.process.kill()
    service.stop()
    assert (tmp_path / "state" / "control.sock").exists()
    again = Service(tmp_path)
    assert again.ask("status")["calls"] == 0
    assert again.stop() == 0


def test_a_wildcard_is_shown_as_an_address_that_phones_can_use(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))
        port = probe.getsockname()[1]
    service = Service(tmp_path, "--set", f"sip.listen=udp:0.0.0.0:{port},tcp:0.0.0.0:{port}", *QUIET)
    found = re.search(r"Point a phone at\n  ([\d.]+):(\d+) \(UDP or TCP\)\n", service.welcome)
    assert service.stop() == 0
    assert found is not None
    assert found[1] != "0.0.0.0"
    assert int(found[2]) == port
