"""Certificates of a running switch: made by its command, renewed by reload, refused when they are broken."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchroom.protocols import sip

from .harness import Switch, users
from .ports import free_port
from .raw import Wire

NAMES = ("old.example.com", "new.example.com")


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    made = Switch(tmp_path / "switch", users=users([1001]), tls={"certificate": "switch.pem"})
    made.tls_port = free_port()  # type: ignore[attr-defined]
    made.config["sip"]["listen"].append(f"tls:127.0.0.1:{made.tls_port}")  # type: ignore[attr-defined]
    make_certificate(made, NAMES[0])
    with made:
        yield made


def make_certificate(switch: Switch, name: str) -> None:
    """By the command that a newcomer would use."""
    command = [sys.executable, "-m", "switchroom.switch", "certificate", name, "--force", "-o", "switch.pem"]
    subprocess.run(command, cwd=switch.folder, check=True, capture_output=True, timeout=20)


def connect(switch: Switch) -> ssl.SSLSocket:
    port = switch.tls_port  # type: ignore[attr-defined]
    context = ssl.create_default_context(cafile=str(switch.folder / "switch.pem"))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port), 5)
    try:
        return context.wrap_socket(plain)
    except BaseException:
        plain.close()
        raise


def shows(connection: ssl.SSLSocket, name: str) -> bool:
    certificate = connection.getpeercert(binary_form=True)
    return certificate is not None and name.encode() in certificate


def is_answered(connection: ssl.SSLSocket) -> bool:
    connection.sendall(
        b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKt\r\n"
        b"Max-Forwards: 70\r\n"
        b"From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: tls\r\nCSeq: 1 OPTIONS\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    return sip.parse(connection.recv(65536)).status == 200


def test_a_renewed_certificate_is_taken_by_reload_and_a_broken_one_is_not(switch: Switch) -> None:
    with connect(switch) as old:
        assert shows(old, NAMES[0])
        make_certificate(switch, NAMES[1])
        assert switch.cli("reload").returncode == 0
        with connect(switch) as new:
            assert shows(new, NAMES[1])
            assert is_answered(new)
        (switch.folder / "switch.pem").write_text("no certificate")
        for command in ("reload", "check"):
            refused = switch.cli(command)
            assert refused.returncode == 2
            assert "switch.pem: cannot be read as PEM" in refused.stderr
        make_certificate(switch, NAMES[0])  # of the file only: nobody reloads
        with connect(switch) as same:
            assert shows(same, NAMES[1])
        assert is_answered(old)
    with Wire(switch.address) as wire:
        wire.options(1.0)


def test_without_its_certificate_it_does_not_start(switch: Switch) -> None:
    switch.end()
    (switch.folder / "switch.pem").unlink()
    with pytest.raises(AssertionError, match=r"switch\.pem: no such file"):
        switch.start()
