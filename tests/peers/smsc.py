"""`switchroom smsc-simulator` as a process, a customer on PyPI's smpplib, and a switch between them."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import smpplib.client

from .harness import Table, wait_until
from .ports import TETHER, free_port
from .waiting import readable

PASSWORD = "secret12"
_ID = re.compile(r"id:(\S+).* stat:(\S+) err:(\S+)")


class SmscSimulator:
    """Listens on a port of its own."""

    def __init__(self, folder: Path, *arguments: str, scheme: str = "smpp", port: int = 0) -> None:
        self.port = port or free_port()
        self.address = f"{scheme}:127.0.0.1:{self.port}"
        self._control = tempfile.mktemp(prefix="smsc", dir="/tmp")
        self._log = folder / f"smsc-{self.port}.log"
        command = [*TETHER, sys.executable, "-m", "switchroom.switch", "smsc-simulator", *arguments]
        command += ["--listen", self.address, "--control", self._control]
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_until(self._is_there, 20.0, "the simulator's control socket")

    def _is_there(self) -> bool:
        assert self.process.poll() is None, self.said()
        with socket.socket(socket.AF_UNIX) as sock:  # the file is there a little before who listens
            return sock.connect_ex(self._control) == 0

    def __enter__(self) -> SmscSimulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        Path(self._control).unlink(missing_ok=True)
        assert "Traceback" not in self.said(), self.said()

    def order(self, line: str) -> list[str]:
        """What it answers, without the ok."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5.0)
            sock.connect(self._control)
            sock.sendall(f"{line}\n".encode())
            answer = list(_lines(sock))
        assert answer[-1] == "ok", answer
        return answer[:-1]

    def count(self, name: str) -> int:
        """One of its numbers."""
        found = dict(line.split(": ") for line in self.order("counts"))
        return int(found.get(name, 0))

    def said(self) -> str:
        return self._log.read_text(errors="replace")


def _lines(sock: socket.socket) -> Iterator[str]:
    for line in sock.makefile():
        said = line.rstrip("\n")
        yield said
        if said == "ok" or said.startswith("error: "):
            return


class Customer:
    """Has bound to the switch as a transceiver, and writes down what it hears."""

    def __init__(
        self,
        port: int,
        system_id: str = "acme",
        context: ssl.SSLContext | None = None,
        *,
        password: str = PASSWORD,
    ) -> None:
        self.answers: dict[int, tuple[int, str]] = {}  # by sequence number: status and id
        self.receipts: list[tuple[str, str, str]] = []  # id, stat, err
        self.messages: list[bytes] = []
        self.client = smpplib.client.Client(
            "127.0.0.1", port, timeout=10, ssl_context=context, allow_unknown_opt_params=True
        )
        self.client.set_message_sent_handler(self._on_answer)
        self.client.set_message_received_handler(self._on_message)
        self.client.set_error_pdu_handler(self._on_answer)
        self.client.connect()
        self.client.bind_transceiver(system_id=system_id, password=password)

    def __enter__(self) -> Customer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.client.unbind()
        self.client.disconnect()

    def submit(self, to: str, text: bytes = b"hello", **more: Any) -> int:
        """Send one; its sequence number."""
        values = {"registered_delivery": 1, "source_addr": "ACME", **more}
        pdu = self.client.send_message(
            source_addr_ton=5, dest_addr_ton=1, dest_addr_npi=1, destination_addr=to,
            short_message=text, **values,
        )  # fmt: skip
        return int(pdu.sequence)

    def ask(self, to: str, text: bytes = b"hello", **more: Any) -> tuple[int, str]:
        """Send one and wait for its answer: status and id."""
        number = self.submit(to, text, **more)
        self.wait(lambda: number in self.answers, f"an answer to {to}")
        return self.answers[number]

    def receipt(self, id: str, timeout: float = 15.0) -> tuple[str, str]:
        """The stat and err of the first receipt of a message."""
        self.wait(lambda: any(one[0] == id for one in self.receipts), f"a receipt of {id}", timeout)
        return next((stat, err) for one, stat, err in self.receipts if one == id)

    def wait(self, is_so: Callable[[], object], what: str, timeout: float = 15.0) -> None:
        def look() -> bool:
            sock: Any = self.client._socket
            while getattr(sock, "pending", int)() or readable([sock], 0.02):
                self.client.read_once(auto_send_enquire_link=False)
            return bool(is_so())

        wait_until(look, timeout, what, 0.0)

    def _on_answer(self, pdu: Any) -> None:
        self.answers[pdu.sequence] = pdu.status, getattr(pdu, "message_id", None) or b""
        status, id = self.answers[pdu.sequence]
        self.answers[pdu.sequence] = status, id.decode() if isinstance(id, bytes) else id

    def _on_message(self, pdu: Any) -> None:
        if pdu.esm_class & 0x3C == 4:
            found = _ID.search(pdu.short_message.decode("latin-1"))
            assert found is not None, pdu.short_message
            assert pdu.receipted_message_id.rstrip(b"\0").decode() == found[1]
            self.receipts.append((found[1], found[2], found[3]))
        else:
            self.messages.append(pdu.short_message)


def trunk(name: str, address: str, **more: Any) -> Table:
    """A carrier that is dialled again soon."""
    times = {"reconnect_min": 0.2, "reconnect_max": 0.5, "throttle_pause": 0.2}
    return {"name": name, "address": address, "system_id": "us", **times, **more}
