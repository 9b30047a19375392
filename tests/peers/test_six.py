"""IPv6, and a call between a telephone of each family, over UDP and TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from switchroom.switch.ops.cli.certificate import make_certificate

from .harness import PASSWORD, Switch, users
from .phone import Phone
from .ports import free_port
from .raw import audio, media_address
from .rtp import Sound


@pytest.mark.parametrize("transport", ["udp", "tls"])
def test_a_call_from_six_to_four(tmp_path: Path, transport: str) -> None:
    port, server = free_port(), free_port()
    listen = [f"udp:127.0.0.1:{port}", f"{transport}:127.0.0.1:{server}", f"{transport}:[::1]:{server}"]
    certificate = tmp_path / "switch.pem"
    certificate.write_bytes(make_certificate(["127.0.0.1", "::1"]))
    context = ssl.create_default_context(cafile=str(certificate))
    switch = Switch(
        tmp_path / "switch", users=users([1001, 1002]), sip={"listen": listen},
        tls={"certificate": str(certificate)},
    )  # fmt: skip
    switch.address = ("127.0.0.1", port)
    six_domain = f"[::1]:{server}"
    with (
        switch,
        Phone(("::1", server), "1001", PASSWORD, transport, domain=six_domain, context=context) as six,
        Phone(("127.0.0.1", server), "1002", PASSWORD, transport, context=context) as four,
        Sound("::1") as a,
        Sound("127.0.0.1") as b,
    ):
        assert four.register().status == 200
        offer = audio("::1", a.port).replace(b"IP4", b"IP6")
        dialog = six.start_call("1002", offer)
        called = four.incoming()
        four.accept(called, audio("127.0.0.1", b.port))
        answer = six.answered(dialog)
        assert b"c=IN IP6 ::1" in answer.body
        assert b"c=IN IP4 127.0.0.1" in called.invite.body  # type: ignore[union-attr]
        assert f"[::1]:{server}" in answer.target
        assert f"127.0.0.1:{server}" in called.target
        assert "::1" not in str(called.invite)
        a.remote, b.remote = media_address(answer.body), media_address(called.invite.body)  # type: ignore[union-attr]
        a.send(20)
        assert b.receive(20) == 20
        b.send(20)
        assert a.receive(20) == 20
        six.send(dialog.request("BYE"))
        called.answer_bye()


def test_registers_over_tcp_and_six(tmp_path: Path) -> None:
    port = free_port()
    switch = Switch(
        tmp_path, users=users([1001]), sip={"listen": [f"udp:127.0.0.1:{port}", f"tcp:[::1]:{port}"]}
    )
    switch.address = ("127.0.0.1", port)
    with switch, Phone(("::1", port), "1001", PASSWORD, "tcp", domain=f"[::1]:{port}") as phone:
        assert phone.register().status == 200
        (binding,) = switch.registrations()
        assert binding["user"] == "1001"
