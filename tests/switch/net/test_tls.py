"""TLS with real sockets: who is believed, which certificate is shown, and what a handshake may cost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from switchroom.protocols import sip
from switchroom.switch.config import TlsConfig
from switchroom.switch.net import NetLimits, Tls, TlsError, WebSocketRules
from switchroom.switch.net.public import PublicAddress
from switchroom.switch.net.tls import names_of, proves

from .certificates import Authority
from .desk import TIMEOUT, Address, Desk, Tcp, request

LISTEN = "tls:127.0.0.1:0"
VIA = "TLS 192.0.2.99:5061"
NAME = "sip.example.com"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def make_tls(authority: Authority, *names: str, **more: object) -> Tls:
    config = {"certificate": authority.sign(*(names or (NAME,))), "ca_file": authority.file, **more}
    return Tls(TlsConfig.model_validate(config))


def client_context(authority: Authority, certificate: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.file)
    if certificate:
        context.load_cert_chain(certificate)
    return context


async def open_tls(to: Address, context: ssl.SSLContext, name: str = NAME) -> Tcp:
    async with asyncio.timeout(TIMEOUT):
        return Tcp(*await asyncio.open_connection(*to, ssl=context, server_hostname=name))


async def test_a_phone_speaks_tls(authority: Authority) -> None:
    async with Desk(LISTEN, tls=make_tls(authority)) as desk:
        async with await open_tls(desk.address(), client_context(authority)) as phone:
            for _ in range(20):
                phone.send(request(via=VIA))
                assert sip.parse(await phone.receive()).status == 200
        flow = next(e.flow for e in desk.events if isinstance(e, sip.RequestReceived))
        assert (flow.transport, flow.local, flow.is_secure) == ("TLS", desk.address(), True)
        await desk.until(lambda: desk.failed)
        assert desk.face.counters.handshakes == {"tls": 1}
        assert desk.face.counters.connections == 0


async def test_what_is_too_large_for_a_record_arrives_whole(authority: Authority) -> None:
    async with (
        Desk(LISTEN, tls=make_tls(authority)) as desk,
        await open_tls(desk.address(), client_context(authority)) as phone,
    ):
        body = b"x" * 60_000
        phone.send(request("MESSAGE", via=VIA, body=body))
        assert sip.parse(await phone.receive()).status == 200
        received = next(e.request for e in desk.events if isinstance(e, sip.RequestReceived))
        assert received.body == body


async def test_a_malformed_message_is_answered_before_the_close(authority: Authority) -> None:
    async with (
        Desk(LISTEN, tls=make_tls(authority)) as desk,
        await open_tls(desk.address(), client_context(authority)) as phone,
    ):
        phone.send(request(via=VIA).replace(b"Content-Length: 0", b"Content-Length: -1"))
        assert sip.parse(await phone.receive()).status == 400
        assert await phone.closed() == b""


@pytest.mark.parametrize(
    ("names", "wanted", "reached"),
    [
        ([NAME], NAME, True),
        (["sip:example.com"], "example.com", True),
        ([NAME, "sip:example.com"], "EXAMPLE.com", True),
        (["127.0.0.1"], "", True),
        ([NAME], "evil.example.com", False),
        (["*.example.com"], NAME, False),  # RFC 5922 §7.2
        ([NAME], "", False),  # no name: then it must be the address
    ],
)
async def test_a_server_must_prove_its_name(
    authority: Authority, names: list[str], wanted: str, reached: bool
) -> None:
    tls = make_tls(authority, *names)
    async with Desk(LISTEN, tls=tls) as server, Desk(LISTEN, tls=tls) as client:
        flow = client.face.flow_to(*server.address(), "TLS", wanted)
        client.ask(flow)
        await client.until(lambda: client.events)
        if reached:
            assert isinstance(client.events[0], sip.ResponseReceived)
            assert client.face.counters.connections_opened == 1
        else:
            assert isinstance(client.events[0], sip.RequestFailed)
            assert [why for _, why in client.failed] == ["certificate"]
            assert not server.events  # not an octet of SIP went to a stranger


async def test_a_server_of_another_authority_is_not_believed(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    async with Desk(LISTEN, tls=make_tls(other)) as server, Desk(LISTEN, tls=make_tls(authority)) as client:
        client.ask(client.face.flow_to(*server.address(), "TLS", NAME))
        await client.until(lambda: client.failed)
        assert client.failed[0][1] == "certificate"
        assert client.face.counters.handshakes == {"tls_failed": 1}
        lax = Tls(TlsConfig(verify_servers=False))
        client.face.apply_transports(lax, WebSocketRules(), PublicAddress())
        client.events.clear()
        client.ask(client.face.flow_to(*server.address(), "TLS", NAME))
        await client.until(lambda: client.events)
        assert isinstance(client.events[-1], sip.ResponseReceived)


async def test_a_connection_is_for_the_name_that_it_proved_only(authority: Authority) -> None:
    tls = make_tls(authority, NAME, "sip:example.com")
    async with Desk(LISTEN, tls=tls) as server, Desk(LISTEN, tls=tls) as client:
        for name in (NAME, "example.com", NAME):
            count = len(client.events)
            client.ask(client.face.flow_to(*server.address(), "TLS", name))
            await client.until(lambda: len(client.events) > count)  # noqa: B023
        assert client.face.counters.connections_opened == 2


@pytest.mark.parametrize("policy", ["off", "optional", "required"])
async def test_clients_with_and_without_a_certificate(authority: Authority, policy: str) -> None:
    async with Desk(LISTEN, tls=make_tls(authority, client_certificates=policy)) as desk:
        own = authority.sign("trunk.example.net", "sip:example.net")
        for certificate in (own, ""):
            is_welcome = policy != "required" or bool(certificate)
            phone = await open_tls(desk.address(), client_context(authority, certificate))
            async with phone:
                phone.send(request(via=VIA))
                with (
                    contextlib.nullcontext() if is_welcome else pytest.raises((ConnectionError, ssl.SSLError))
                ):
                    await phone.receive()
                if is_welcome:
                    flow = [e.flow for e in desk.events if isinstance(e, sip.RequestReceived)][-1]
                    is_named = bool(certificate) and policy != "off"
                    expected = ("trunk.example.net", "example.net") if is_named else ()
                    assert desk.face.peer_names(flow) == expected


async def test_a_client_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    foreign = Authority(tmp_path, "other").sign("trunk.example.net")
    async with Desk(LISTEN, tls=make_tls(authority, client_certificates="optional")) as desk:
        async with await open_tls(desk.address(), client_context(authority, foreign)) as phone:
            phone.send(request(via=VIA))
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await phone.receive()
        assert not desk.events
        await desk.until(lambda: desk.failed)
        assert desk.failed[0][1] == "certificate"


@pytest.mark.parametrize("alias", [";alias", ""])
async def test_a_proven_connection_is_used_backwards_when_its_owner_says_so(
    authority: Authority, alias: str
) -> None:
    """RFC 5923: the trunk's listener is reached by the connection that the trunk has opened."""
    async with Desk(LISTEN, tls=make_tls(authority, client_certificates="optional")) as desk:
        context = client_context(authority, authority.sign("trunk.example.net"))
        async with await open_tls(desk.address(), context) as trunk:
            trunk.send(request(via=f"TLS trunk.example.net:5061{alias}"))
            await trunk.receive()
            flow = desk.face.flow_to("127.0.0.1", 5061, "TLS", "trunk.example.net")
            desk.ask(flow)
            if alias:
                asked = sip.parse(await trunk.receive())
                assert asked.method == "OPTIONS"
                assert desk.face.counters.connections_opened == 0
            else:
                await desk.until(lambda: desk.failed)
                assert desk.failed[0][1].startswith("connect: ")


async def shown(desk: Desk, authority: Authority, name: str) -> tuple[str, ...]:
    """Whom the certificate names that a client gets who asks for this name."""
    context = client_context(authority)
    context.check_hostname = False
    async with await open_tls(desk.address(), context, name) as phone:
        return names_of(phone.writer.get_extra_info("ssl_object").getpeercert())


async def test_a_client_gets_the_certificate_of_the_name_it_asks_for(authority: Authority) -> None:
    more = [authority.sign("other.example.org"), authority.sign("*.example.net")]
    async with Desk(LISTEN, tls=make_tls(authority, more_certificates=more)) as desk:
        assert await shown(desk, authority, "other.example.org") == ("other.example.org",)
        assert await shown(desk, authority, "pbx.example.net") == ("*.example.net",)
        assert await shown(desk, authority, "unknown.example.com") == (NAME,)
        assert await shown(desk, authority, "") == (NAME,)


async def test_new_certificates_count_for_new_connections(authority: Authority) -> None:
    async with (
        Desk(LISTEN, tls=make_tls(authority)) as desk,
        await open_tls(desk.address(), client_context(authority)) as phone,
    ):
        desk.face.apply_transports(make_tls(authority, "new.example.com"), WebSocketRules(), PublicAddress())
        assert await shown(desk, authority, NAME) == ("new.example.com",)
        phone.send(request(via=VIA))
        assert sip.parse(await phone.receive()).status == 200


async def test_a_handshake_has_a_deadline_and_counts_as_a_connection(authority: Authority) -> None:
    limits = NetLimits(handshake_timeout=0.3, max_connections_per_source=3)
    async with Desk(LISTEN, tls=make_tls(authority), limits=limits) as desk:
        silent = [socket.create_connection(desk.address()) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert desk.face.counters.connections == 3
        assert await Tcp.is_refused(desk.address())
        await desk.until(lambda: len(desk.failed) == 3)
        assert desk.face.counters.handshakes == {"tls_failed": 3}
        for one in silent:
            one.close()
        async with await open_tls(desk.address(), client_context(authority)) as phone:
            phone.send(request(via=VIA))
            assert sip.parse(await phone.receive()).status == 200


async def test_a_source_may_begin_so_many_handshakes(authority: Authority) -> None:
    limits = NetLimits(handshake_rate=0.001, handshake_burst=3)
    async with Desk(LISTEN, tls=make_tls(authority), limits=limits) as desk:
        for _ in range(3):
            async with await open_tls(desk.address(), client_context(authority)):
                pass
        assert await Tcp.is_refused(desk.address())
        assert desk.face.counters.refused == {"handshake_rate": 1}
        async with await Tcp.open(desk.address(), "127.0.0.9"):
            await asyncio.sleep(0.02)
        assert desk.face.counters.refused == {"handshake_rate": 1}


@pytest.mark.parametrize("data", [request(via=VIA), b"\x16\x03\x01\x00\x05hello", b"\0" * 4000])
async def test_what_is_no_handshake_is_closed(authority: Authority, data: bytes) -> None:
    async with Desk(LISTEN, tls=make_tls(authority)) as desk, await Tcp.open(desk.address()) as phone:
        phone.send(data)
        await phone.closed()
        await desk.until(lambda: desk.failed)
        assert desk.failed[0][1] == "handshake"
        assert not desk.log.lines


async def test_old_versions_are_refused(authority: Authority) -> None:
    async with Desk(LISTEN, tls=make_tls(authority, min_version="1.3")) as desk:
        context = client_context(authority)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await open_tls(desk.address(), context)
        await desk.until(lambda: desk.failed)
        assert desk.face.counters.handshakes == {"tls_failed": 1}


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"certificate": "/nowhere/a.pem"}, "/nowhere/a.pem: no such file"),
        ({"private_key": "other"}, "does not belong to the certificate"),
        ({"certificate": "garbage"}, "cannot be read as PEM"),
        ({"ca_file": "/nowhere/ca.pem", "client_certificates": "required"}, "/nowhere/ca.pem: no such file"),
        ({"ciphers": "NONSENSE"}, "no cipher that OpenSSL knows"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    authority: Authority, tmp_path: Path, more: dict[str, str], fault: str
) -> None:
    (tmp_path / "garbage.pem").write_text("garbage")
    files = {"other": authority.sign("x.example"), "garbage": str(tmp_path / "garbage.pem")}
    with pytest.raises(TlsError, match=fault):
        make_tls(authority, **{key: files.get(value, value) for key, value in more.items()})


def test_names_of_a_certificate() -> None:
    subject = ((("commonName", "cn.example"),),)
    assert names_of({"subject": subject}) == ("cn.example",)
    assert names_of({"subject": subject, "subjectAltName": (("DNS", "A.example"),)}) == ("a.example",)
    sans = (("URI", "sip:b.example"), ("URI", "sip:user@c.example"), ("URI", "https://d.example"))
    assert names_of({"subject": subject, "subjectAltName": sans}) == ("b.example",)  # RFC 5922 §7.1
    assert names_of(None) == names_of({}) == ()


def test_wildcards_are_of_the_web() -> None:
    assert proves(["*.example.com"], "a.example.com", is_web=True)
    assert not proves(["*.example.com"], "a.b.example.com", is_web=True)
    assert not proves(["*.com"], "example.com", is_web=True)
    assert not proves(["*.example.com"], "a.example.com")
    assert proves(["::1"], "0:0::1")
