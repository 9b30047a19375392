"""Every configuration under examples/ starts as it stands, answers OPTIONS and registers its first user.

Only the places where two switches would meet are changed: where it listens, and who answers DNS.
"""

from __future__ import annotations

import json
import shutil
import ssl
import tomllib
from pathlib import Path

import pytest

from switchroom.switch.ops.cli.certificate import make_certificate
from tests.switch.net.certificates import Authority

from .harness import Switch, wait_until
from .modems import SECOND, ModemSimulator
from .phone import Phone
from .ports import free_port
from .raw import response_to
from .smsc import Customer, SmscSimulator

EXAMPLES = Path(__file__).parents[2] / "examples"


class Example(Switch):
    """A switch whose file is the example itself; what is changed is said on the command line."""

    def __init__(self, folder: Path, name: str) -> None:
        shutil.copytree(EXAMPLES, folder)
        super().__init__(folder, users=[])
        self.file = folder / name
        self.table = tomllib.loads(self.file.read_text())
        self.ports = {"udp": self.port, "tcp": self.port, "tls": free_port(), "wss": free_port()}
        self.ports["ws"] = free_port()
        listen = self.table.get("sip", {}).get("listen", ["udp:0.0.0.0:5060"])
        kinds = list(dict.fromkeys(one.split(":")[0] for one in listen))
        ports = free_port(100)
        changes = {
            "sip.listen": [f"{kind}:127.0.0.1:{self.ports[kind]}" for kind in kinds],
            "media.ports": f"{ports}-{ports + 99}",
            "api.listen": f"127.0.0.1:{self.api_port}",
            "dns.nameservers": [f"127.0.0.1:{free_port()}"],  # nobody: what is called sip.carrier.example
        }
        if self.table.get("api", {}).get("rest"):
            self.ports["rest"] = free_port()
            changes["api.rest"] = [f"http:127.0.0.1:{self.ports['rest']}"]
        if "smpp" in self.table:
            self.ports["smpp"] = free_port()
            changes["smpp.listen"] = [f"smpp:127.0.0.1:{self.ports['smpp']}"]
        self.arguments = [f"--set={key}={json.dumps(value)}" for key, value in changes.items()]

    def write(self) -> None:
        """The example is not touched."""


@pytest.mark.parametrize("name", sorted({path.name for path in EXAMPLES.glob("*.toml")} - {"modems.toml"}))
def test_it_starts_and_answers(tmp_path: Path, name: str) -> None:
    made = Example(tmp_path / "example", name)
    certificate = tmp_path / "example" / "switchroom.pem"
    if "tls" in made.table:
        certificate.write_bytes(make_certificate(["127.0.0.1"]))
    if "stir" in made.table:
        authority = Authority(tmp_path, "root")
        shutil.copy(authority.file, tmp_path / "example" / "sti-pa-roots.pem")
        own = authority.sign("sp.carrier.test")  # key and certificate
        for part in ("sp.pem", "sp.key"):
            shutil.copy(own, tmp_path / "example" / part)
        (tmp_path / "example" / "certificates").mkdir()
    first = made.table["users"][0]
    domain = made.table.get("switch", {}).get("domain", "")
    with made:  # it answered an OPTIONS: that is how the end of its start is known
        kinds = ["udp", "tls"] if "tls" in made.table else ["udp"]
        for kind in kinds:
            context = ssl.create_default_context(cafile=str(certificate)) if kind == "tls" else None
            server = ("127.0.0.1", made.ports[kind])
            with Phone(
                server, first["name"], first["password"], kind, domain=domain, context=context
            ) as phone:
                assert phone.register().status == 200
        assert {row["user"] for row in made.registrations()} == {first["name"]}
        names = {trunk["name"] for trunk in made.table.get("trunks", ())}
        assert {row["trunk"] for row in made.ask("trunks")} == names
        assert "Traceback" not in made.said()


def test_the_modems_of_the_example_send_and_receive(tmp_path: Path) -> None:
    made = Example(tmp_path / "example", "modems.toml")
    first = made.table["users"][1]
    with ModemSimulator(tmp_path) as simulator:
        made.arguments += [f"--set=modems.{n}.port={json.dumps(simulator.port(n + 1))}" for n in (0, 1)]
        with made, Phone(("127.0.0.1", made.port), first["name"], first["password"], "udp") as phone:
            assert phone.register().status == 200

            def is_ready() -> bool:
                return [row["state"] for row in made.ask("modems")] == ["ready", "ready"]

            wait_until(is_ready, 20.0, "both modems", interval=0.3)
            assert made.cli("sms", "send", SECOND, "by a SIM to the phone of the reception").returncode == 0
            text = phone.expect("MESSAGE", 15.0)
            phone.send(response_to(text, 200, tag="raw"))
            assert text.body.decode() == "by a SIM to the phone of the reception"
            simulator.wait_said("reported: to 49170000000")


def test_a_customer_of_the_example_reaches_its_carrier(tmp_path: Path) -> None:
    made = Example(tmp_path / "example", "smpp.toml")
    account = made.table["smpp_accounts"][0]
    with SmscSimulator(tmp_path) as carrier:
        made.arguments.append(f"--set=smpp_trunks.0.address={json.dumps(carrier.address)}")
        with (
            made,
            Customer(made.ports["smpp"], account["system_id"], password=account["password"]) as customer,
        ):
            status, id = customer.ask("491711111", source_addr="SHOP")
            assert status == 0
            assert customer.receipt(id) == ("DELIVRD", "000")
            assert customer.ask("491711111", source_addr="BANK")[0] == 0x0A  # not its sender
