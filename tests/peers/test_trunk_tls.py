"""A trunk that is known by its client certificate, and by nothing else (RFC 5922)."""

from __future__ import annotations

import secrets
import socket
import ssl
from pathlib import Path

import pytest

from tests.switch.net.certificates import Authority

from .harness import Switch, users
from .ports import free_port
from .raw import Message, audio


def asked(port: int, authority: Authority, certificate: str = "") -> list[int]:
    """The statuses that an INVITE over TLS gets, up to the final one."""
    context = ssl.create_default_context(cafile=authority.file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if certificate:
        context.load_cert_chain(certificate)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as wire,
    ):
        body = audio("127.0.0.1", 40000)
        lines = [
            "INVITE sip:+4930999@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/TLS 127.0.0.1:{wire.getsockname()[1]};branch=z9hG4bK{secrets.token_hex(8)};rport",
            "Max-Forwards: 70",
            "From: <sip:+4420@carrier.test>;tag=1",
            "To: <sip:+4930999@127.0.0.1>",
            f"Call-ID: {secrets.token_hex(8)}",
            "CSeq: 1 INVITE",
            "Contact: <sip:x@127.0.0.1;transport=tls>",
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
        ]
        wire.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        statuses: list[int] = []
        while not statuses or statuses[-1] < 200:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                octet = wire.recv(1)
                assert octet, f"closed after {statuses}"
                head += octet
            message = Message.parse(head)
            wire.recv(int(message.get("content-length") or 0))
            statuses.append(message.status)
        return statuses


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_trunk_is_known_by_its_certificate(tmp_path: Path, authority: Authority) -> None:
    port = free_port()
    trunks = [{"name": "carrier", "tls_names": ["sbc.carrier.test"]}]
    tls = {
        "certificate": authority.sign("localhost"),
        "ca_file": authority.file,
        "client_certificates": "optional",
    }
    switch = Switch(tmp_path / "switch", users=users([1001]), trunks=trunks, tls=tls)
    switch.config["sip"]["listen"].append(f"tls:127.0.0.1:{port}")
    with switch:
        assert (
            asked(port, authority, authority.sign("sbc.carrier.test"))[-1] == 404
        )  # known, but no such number
        assert switch.wait_record()["from_user"] == "trunk:carrier"
        assert asked(port, authority)[-1] == 401
        assert asked(port, authority, authority.sign("other.carrier.test"))[-1] == 401
        stranger = Authority(tmp_path, "stranger")
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            asked(port, authority, stranger.sign("sbc.carrier.test"))
