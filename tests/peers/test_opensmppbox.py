"""The switch binds to Kannel as its carrier: opensmppbox and bearerbox, with another carrier behind them.

opensmppbox is in no package of Debian; it is built from Kannel's own sources (addons/opensmppbox).
"""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest

from .harness import Switch, wait_until
from .modems import Program
from .ports import free_port
from .smsc import PASSWORD, SmscSimulator, trunk

pytestmark = pytest.mark.skipif(
    shutil.which("opensmppbox") is None,
    reason="opensmppbox is not installed: it is built from Kannel's sources",
)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def configured(folder: Path, carrier: int, customers: int) -> tuple[Path, Path, int]:
    """bearerbox, opensmppbox, and where the first one listens for the other."""
    boxes, bearerbox, box = free_port(), folder / "bearerbox.conf", folder / "opensmppbox.conf"
    bearerbox.write_text(
        f"group = core\nadmin-port = {free_port()}\nadmin-password = x\nsmsbox-port = {boxes}\n"
        "box-allow-ip = 127.0.0.1\ndlr-storage = internal\n"
        f"log-file = {folder}/bearerbox.log\nlog-level = 0\n\n"
        f"group = smsc\nsmsc = smpp\nsmsc-id = carrier\nhost = 127.0.0.1\nport = {carrier}\n"
        f"transceiver-mode = true\nsmsc-username = kannel\nsmsc-password = {PASSWORD}\nsystem-type = VMA\n\n"
        f"group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = {free_port()}\n"
    )
    (folder / "users").write_text(f"us {PASSWORD} VMA *.*.*.*\n")
    box.write_text(
        f"group = core\ndlr-storage = internal\nlog-file = {folder}/opensmppbox.log\nlog-level = 0\n\n"
        f"group = opensmppbox\nbearerbox-host = 127.0.0.1\nbearerbox-port = {boxes}\n"
        f"opensmppbox-id = customers\nopensmppbox-port = {customers}\nour-system-id = kannel\n"
        f"route-to-smsc = carrier\nsmpp-logins = {folder}/users\n"
    )
    return bearerbox, box, boxes


def test_messages_go_out_by_it_and_receipts_come_back(tmp_path: Path) -> None:
    customers = free_port()
    with SmscSimulator(tmp_path, "--set", "delay=0.05") as carrier:
        bearerbox, box, boxes = configured(tmp_path, carrier.port, customers)
        options = {"password": PASSWORD, "system_type": "VMA", "reconnect_min": 0.2, "reconnect_max": 0.5}
        with Program(tmp_path, "bearerbox", "bearerbox", "-v", "4", str(bearerbox)):
            wait_until(lambda: is_open(boxes), 20.0, "bearerbox")
            with (
                Program(tmp_path, "opensmppbox", "opensmppbox", "-v", "4", str(box)),
                Switch(
                    tmp_path / "switch",
                    users=[],
                    sms={"reserve": 1, "enabled": True},
                    smpp_trunks=[trunk("kannel", f"smpp:127.0.0.1:{customers}", **options)],
                    sms_routes=[{"name": "all", "to": "trunk:kannel"}],
                ) as switch,
            ):
                for text in ("by kannel", "long " * 60):
                    done = switch.cli("sms", "send", "+4917112345", text, "--from", "ACME")
                    assert done.returncode == 0, done.stderr
                wait_until(
                    lambda: states(switch) == ["delivered", "delivered"], 30.0, "receipts", interval=0.3
                )


def states(switch: Switch) -> list[str]:
    done = switch.cli("messages", "--json")
    return [str(row["state"]) for row in json.loads(done.stdout or "[]")]
