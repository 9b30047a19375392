"""PJSIP as a second softphone implementation (wheel ``pjsua2-python``), in a process of its own.

with Pjsua(folder, "2001", PASSWORD, switch.address) as phone:
    phone.register()
    call = phone.call("2002")
    phone.wait_state(call, "CONFIRMED")
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .baresip import read_wave, write_tone
from .ports import TETHER, free_port

ROOT = Path(__file__).parents[2]
Event = dict[str, Any]


def is_installed() -> bool:
    """Whether the wheel is there; there is none for some machines."""
    return importlib.util.find_spec("pjsua2") is not None


class Pjsua:
    """One softphone with one account."""

    def __init__(
        self,
        folder: Path,
        user: str,
        password: str,
        switch: tuple[str, int],
        *,
        transport: str = "udp",
        ca: str = "",
        srtp: str = "off",
        codec: str = "",
        tone: float = 0.0,
    ) -> None:
        """``transport``: udp, tcp or tls; ``ca``: the file that the switch's certificate is checked with;
        ``tone``: what it says, 0: what it hears;
        ``codec``: the only one that it speaks, as it names it (iLBC/8000);
        ``srtp``: off, required, or with keys and a suite: SDES AEAD_AES_256_GCM, DTLS."""
        self.user, self.password, self.transport = user, password, transport
        self.host = f"{switch[0]}:{switch[1]}"
        self.port = free_port()
        self.log = folder / f"pjsua-{user}-{self.port}.log"
        self._heard = folder / f"pjsua-{user}-{self.port}.wav"
        options = {
            "host": "127.0.0.1",
            "port": self.port,
            "media_port": free_port(42),
            "transport": transport,
            "ca": ca,
            "srtp": srtp,
            "codec": codec,
            "log": str(self.log),
        }
        if tone:
            options["tone"] = str(write_tone(folder / f"pjsua-{user}-tone.wav", tone))
            options["heard"] = str(self._heard)
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._errors = (folder / f"pjsua-{user}-{self.port}.err").open("wb")
        self.process = subprocess.Popen(
            [*TETHER, sys.executable, "-m", "tests.peers.pjsua_child", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            text=True,
            bufsize=1,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Pjsua:
        self.wait("ready", timeout=15)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._reader.join(5)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for pipe in (self.process.stdin, self.process.stdout, self._errors):
            pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    continue  # the library talks, too
                self._changed.notify_all()

    def heard(self) -> tuple[NDArray[np.float64], int]:
        """All samples that it heard, if it has a tone of its own; and their rate."""
        return read_wave(self._heard) if self._heard.exists() else (np.zeros(0), 8000)

    # -- what it tells

    def wait(
        self,
        event: str,
        is_it: Callable[[Event], bool] = lambda e: True,
        *,
        timeout: float = 10.0,
        **values: object,
    ) -> Event:
        """The first such event, as soon as it is there; it is taken."""

        def found() -> Event | None:
            for index, one in enumerate(self.events):
                if one["event"] == event and values.items() <= one.items() and is_it(one):
                    return self.events.pop(index)
            return None

        until = time.monotonic() + timeout
        with self._changed:
            while (one := found()) is None:
                left = until - time.monotonic()
                assert left > 0, f"pjsua {self.user}: no {event} {values} in {self.events}\n{self.story()}"
                self._changed.wait(left)
        return one

    def story(self, size: int = 6000) -> str:
        """The end of its log, with the messages that it saw."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    # -- what it does

    def do(self, what: str, **values: object) -> Any:
        """A command; its result."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **values}) + "\n")
        self.process.stdin.flush()
        return self.wait("done", do=what)["result"]

    def uri(self, number: str) -> str:
        """A number at the switch."""
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"sip:{number}@{self.host}{suffix}"

    def register(self, *, expires: int = 300, mwi: bool = False, publish: bool = False) -> None:
        """Register and wait; ``mwi``: subscribe to the mailbox; ``publish``: tell others of presence."""
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        self.do(
            "register",
            user=self.user,
            password=self.password,
            registrar=f"sip:{self.host}{suffix}",
            expires=expires,
            mwi=mwi,
            publish=publish,
        )
        self.wait("registration", is_active=True)

    def unregister(self) -> None:
        self.do("unregister")
        self.wait("registration", is_active=False)

    def call(self, number: str) -> int:
        """Call a number; the call's number here, for what follows."""
        call: int = self.do("call", to=self.uri(number))
        return call

    def incoming(self, timeout: float = 10.0) -> int:
        """Wait for a call."""
        call: int = self.wait("incoming", timeout=timeout)["call"]
        return call

    def answer(self, call: int, status: int = 200) -> None:
        self.do("answer", call=call, status=status)

    def hangup(self, call: int) -> None:
        self.do("hangup", call=call)

    def hold(self, call: int) -> None:
        self.do("hold", call=call)

    def unhold(self, call: int) -> None:
        self.do("unhold", call=call)

    def xfer(self, call: int, number: str) -> None:
        """Blind transfer; ``transfer_status`` events follow."""
        self.do("xfer", call=call, to=f"<{self.uri(number)}>")

    def xfer_replaces(self, call: int, other: int) -> None:
        """Attended transfer: whoever is in ``call`` talks to whoever is in ``other``."""
        self.do("xfer_replaces", call=call, other=other)

    def dtmf(self, call: int, digits: str) -> None:
        self.do("dtmf", call=call, digits=digits)

    def message(self, number: str, text: str) -> None:
        """Send a text; ``message_status`` follows."""
        self.do("message", to=self.uri(number), text=text)

    def watch(self, number: str) -> None:
        """Subscribe to somebody's presence; ``buddy`` events follow."""
        self.do("watch", uri=self.uri(number))

    def set_status(self, *, is_online: bool, note: str = "", activity: int = 0) -> None:
        """Publish one's own presence; activity 1: away, 2: busy (RFC 4480)."""
        self.do("status", is_online=is_online, note=note, activity=activity)

    def wait_state(self, call: int, state: str, timeout: float = 10.0) -> Event:
        """Until a call is CALLING, EARLY, CONFIRMED, DISCONNECTED..."""
        return self.wait("call_state", call=call, state=state, timeout=timeout)
