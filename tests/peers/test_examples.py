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

from .harness import Switch
from .phone import Phone
from .ports import free_port

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
        if "smpp" in self.table:
            changes["smpp.listen"] = [f"smpp:127.0.0.1:{free_port()}"]
        self.arguments = [f"--set={key}={json.dumps(value)}" for key, value in changes.items()]

    def write(self) -> None:
        """The example is not touched."""


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.toml")))
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
