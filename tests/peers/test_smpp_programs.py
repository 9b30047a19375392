"""Programs that nobody here wrote bind to the switch: aiosmpplib, npm's smpp and Kannel's bearerbox."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .browser import npm_package
from .harness import Switch, wait_until
from .modems import Program
from .ports import TETHER, free_port
from .smsc import PASSWORD, SmscSimulator, trunk

NPM_SMPP = "smpp@0.6.0-rc.4"


@dataclass
class Place:
    """A switch with a carrier behind it."""

    switch: Switch
    carrier: SmscSimulator
    port: int

    def bound(self, account: str) -> bool:
        return bool(self.switch.metric(f'switchroom_smpp_binds{{name="account:{account}"}}'))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, port = tmp_path_factory.mktemp("smpp_programs"), free_port()
    with SmscSimulator(folder, "--set", "delay=0.05") as carrier:
        switch = Switch(
            folder / "switch",
            users=[],
            sms={"reserve": 1},
            smpp={"listen": [f"smpp:127.0.0.1:{port}"], "drain_timeout": 0.5},
            smpp_accounts=[{"name": name, "password": PASSWORD} for name in ("aio", "node", "kannel")],
            smpp_trunks=[trunk("carrier", carrier.address)],
            sms_routes=[
                *({"name": name, "match": name.upper(), "to": f"account:{name}"} for name in ("aio", "node")),
                {"name": "kannel", "match": "+4930*", "to": "account:kannel"},
                {"name": "all", "to": "trunk:carrier"},
            ],
        )
        with switch:
            yield Place(switch, carrier, port)
        assert "Traceback" not in switch.said(200_000)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves its socket open
async def test_aiosmpplib(place: Place) -> None:
    library = pytest.importorskip("aiosmpplib")
    heard: list[Any] = []

    class Hook(library.AbstractHook):  # type: ignore[misc, name-defined]
        async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None: ...

        async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
            assert smpp_message is not None, pdu.hex()
            heard.append(smpp_message)

        async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:
            raise error

    esme = library.ESME("127.0.0.1", place.port, "aio", PASSWORD, hook=Hook(), enquire_link_interval=1.0)
    running = asyncio.create_task(esme.start())
    number = library.PhoneNumber
    texts = ["from aiosmpplib", "Grüße {€}", "жжж", "long " * 60]
    for text in texts:
        await esme.broker.enqueue(
            library.SubmitSm(short_message=text, source=number("AIO"), destination=number("491711"))
        )

    def answers() -> list[Any]:
        return [one for one in heard if isinstance(one, library.SubmitSmResp)]

    def receipts() -> list[Any]:
        return [one for one in heard if isinstance(one, library.DeliverSm) and one.is_receipt()]

    await asyncio.to_thread(wait_until, lambda: len(receipts()) == len(texts), 20.0, "receipts")
    assert {one.command_status for one in answers()} == {library.SmppCommandStatus.ESME_ROK}
    said = [one.parse_receipt() for one in receipts()]
    assert {one["stat"] for one in said} == {"DELIVRD"}
    assert {one["id"] for one in said} == {one.message_id for one in answers()}
    place.carrier.order("send us 491711 AIO a reply")
    await asyncio.to_thread(
        wait_until, lambda: any(getattr(one, "short_message", "") == "a reply" for one in heard), 10.0, "it"
    )
    await esme.stop()
    await running


@pytest.mark.peer("npm")
def test_npm_smpp(place: Place) -> None:
    script = str(Path(__file__).with_name("smpp_node.js"))
    command = [*TETHER, "node", script, str(npm_package(NPM_SMPP)), str(place.port), "node", PASSWORD]
    heard: list[dict[str, Any]] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:

        def of(what: str) -> list[dict[str, Any]]:
            return [one for one in list(heard) if one["what"] == what]

        listener = threading.Thread(target=_follow, args=(node, heard), daemon=True)
        listener.start()
        wait_until(lambda: len(of("receipt")) == 4, 20.0, "receipts")
        place.carrier.order("send us 491711 NODE Antwort")
        wait_until(lambda: of("message"), 10.0, "the reply")
        assert node.stdin is not None
        node.stdin.close()
        assert node.wait(10) == 0
        listener.join(5)
    assert of("bound") == [{"what": "bound", "status": 0, "system_id": "Switchroom"}]
    assert {one["status"] for one in of("answered")} == {0}
    assert {one["id"] for one in of("receipt")} == {one["id"] for one in of("answered")}
    assert {one["state"] for one in of("receipt")} == {2}
    assert of("queried") == [{"what": "queried", "status": 12}]
    assert of("message") == [{"what": "message", "text": "Antwort"}]
    assert not of("unknown") + of("error")


def _follow(process: subprocess.Popen[str], heard: list[dict[str, Any]]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        heard.append(json.loads(line))


class Told(BaseHTTPRequestHandler):
    """Hears of receipts and messages as Kannel tells them."""

    heard: list[dict[str, str]]

    def do_GET(self) -> None:
        query = urllib.parse.urlparse(self.path).query
        self.heard.append({name: values[0] for name, values in urllib.parse.parse_qs(query).items()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.mark.peer("bearerbox", "smsbox")
def test_kannel_binds_to_us(place: Place, tmp_path: Path) -> None:
    admin, box, http = free_port(), free_port(), free_port()
    heard: list[dict[str, str]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Told,), {"heard": heard}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told = f"http://127.0.0.1:{server.server_port}"
    config = tmp_path / "kannel.conf"
    config.write_text(
        f"group = core\nadmin-port = {admin}\nsmsbox-port = {box}\nadmin-password = x\n"
        f"admin-interface = 127.0.0.1\nsmsbox-interface = 127.0.0.1\nlog-file = {tmp_path}/bearerbox.log\n"
        "log-level = 0\nbox-allow-ip = 127.0.0.1\ndlr-storage = internal\n\n"
        f"group = smsc\nsmsc = smpp\nsmsc-id = us\nhost = 127.0.0.1\nport = {place.port}\n"
        f"transceiver-mode = true\nsmsc-username = kannel\nsmsc-password = {PASSWORD}\nsystem-type = VMA\n"
        "enquire-link-interval = 1\nsource-addr-autodetect = true\ndest-addr-ton = 1\ndest-addr-npi = 1\n\n"
        f"group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = {http}\nsendsms-interface = 127.0.0.1\n"
        f"log-file = {tmp_path}/smsbox.log\nlog-level = 0\n\n"
        'group = sendsms-user\nusername = u\npassword = p\nuser-allow-ip = "127.0.0.1"\n'
        "default-sender = KANNEL\nmax-messages = 5\nconcatenation = true\n\n"
        f'group = sms-service\nkeyword = default\nget-url = "{told}/?from=%p&to=%P&text=%a"\n'
        "max-messages = 0\n"
    )
    with Program(tmp_path, "bearerbox", "bearerbox", "-v", "4", str(config)):
        wait_until(lambda: place.bound("kannel"), 20.0, "kannel's bind", interval=0.2)
        with Program(tmp_path, "smsbox", "smsbox", "-v", "4", str(config)):
            _submit(http, "from kannel", "one", told)
            _submit(http, "long " * 60, "many", told)
            wait_until(lambda: {one.get("name") for one in heard} >= {"one", "many"}, 20.0, "its reports")
            assert {one["state"] for one in heard} == {"1"}  # delivered
            place.carrier.order("send us 491711 +4930123 hello kannel")
            wait_until(lambda: any("text" in one for one in heard), 15.0, "the message at kannel")
    server.shutdown()
    server.server_close()
    [message] = [one for one in heard if "text" in one]
    assert message["text"] == "hello kannel"
    assert message["from"].endswith("491711")


def _submit(http: int, text: str, name: str, told: str) -> None:
    report = f"{told}/?name={name}&state=%d"
    values = {"username": "u", "password": "p", "to": "491711", "text": text}
    query = urllib.parse.urlencode({**values, "dlr-mask": "3", "dlr-url": report})

    def is_taken() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http}/cgi-bin/sendsms?{query}") as answer:
                return bool(answer.status == 202)
        except OSError:
            return False

    wait_until(is_taken, 15.0, "kannel's smsbox", interval=0.3)
