"""A simulated GSM modem: characters in, characters out, and a SIM in a network behind them.

It obeys ITU-T V.250: lines end with CR, ``;`` chains commands, ESC calls a text off. Faults can be had on
demand: it hangs, fails, and writes unsolicited lines into the middle of anything.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from switchroom.protocols.gsm.tpdu import Deliver, StatusReport

from .commands import Commands
from .network import Network
from .storage import Storage

__all__ = ["Faults", "Sim", "SimulatedModem"]

_CR, _LF, _ESC, _SUB, _BACKSPACE = 0x0D, 0x0A, 0x1B, 0x1A, 0x08
_MAX_LINE = 2000
_ACKNOWLEDGE_TIMEOUT = 15.0  # seconds for AT+CNMA


class Sim:
    """What is on the card."""

    def __init__(self, number: str, *, pin: str = "", capacity: int = 30, imsi: str = "") -> None:
        self.number = number
        self.pin = pin
        self.attempts = 3
        self.is_unlocked = not pin
        self.imsi: str = imsi or f"26299{number.lstrip('+')[-10:]:0>10}"
        self.messages = Storage("SM", capacity)
        self.references = 0


@dataclass(slots=True)
class Faults:
    """What goes wrong, and how often; rates are of AT+CMGS."""

    error_rate: float = 0.0  # +CMS ERROR: 500, and nothing is sent
    hang_rate: float = 0.0  # no answer to anything from then on, and nothing is sent
    late_hang_rate: float = 0.0  # the same, but the message is sent
    hang_seconds: float = 20.0  # until it starts anew by itself; a closed port does it at once
    delay: float = 0.0  # seconds that a message takes to be sent
    drops_answers: float = 0.0  # a message is sent and the answer is not
    is_interrupting: bool = False  # unsolicited lines are written in the middle of whatever it is


class SimulatedModem:
    """The modem, as seen from its port."""

    def __init__(
        self,
        sim: Sim,
        network: Network,
        *,
        faults: Faults | None = None,
        capacity: int = 100,
        is_text_only: bool = False,
        seed: int | None = None,
    ) -> None:
        self.sim: Sim = sim
        self.network = network
        self.faults = faults or Faults()
        self.is_text_only = is_text_only
        self.equipment = Storage("ME", capacity)
        self.random = random.Random(seed)
        self.number = sim.number
        self.commands = Commands(self)
        self.is_hung = False
        self.now = 0.0
        self._hang_until: float | None = None
        self._output = bytearray()
        self._line = bytearray()
        self._last_line = ""
        self._text: Callable[[bytes | None], None] | None = None  # takes the text that is being written
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._unsolicited: deque[str] = deque()
        self._unacknowledged: deque[tuple[float, Callable[[bool, float], None]]] = deque()
        self._input: deque[int] = deque()
        network.add(self)

    # -- the port

    def receive_data(self, data: bytes, now: float) -> None:
        """The other end writes."""
        self.now = now
        if self.is_hung:
            return
        self._input.extend(data)
        self._read()

    def data_to_send(self) -> bytes:
        """What the other end is to read."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def open(self, now: float) -> None:
        """Somebody opens the port (DTR rises): a modem that hangs starts anew."""
        self.now = now
        if self.is_hung:
            self.restart()

    def next_timer(self) -> float | None:
        """When something happens by itself."""
        times = [at for at, _ in (*self._later, *self._unacknowledged)]
        if self._hang_until is not None:
            times.append(self._hang_until)
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """Let it happen."""
        self.now = now
        if self._hang_until is not None and self._hang_until <= now:
            self.restart()
        due = [entry for entry in self._later if entry[0] <= now]
        self._later = [entry for entry in self._later if entry[0] > now]
        for _, action in due:
            action()
        while self._unacknowledged and self._unacknowledged[0][0] <= now:
            self._unacknowledged.popleft()[1](False, now)
            self.commands.routing = (self.commands.routing[0], 0, 0, 0, 0)  # TS 27.005 §3.4.1
        self._read()

    # -- what commands do

    def write(self, line: str) -> None:
        """A line of an answer."""
        if not self.is_hung:
            self._put(f"\r\n{line}\r\n".encode("latin-1", "replace"))

    def write_raw(self, data: bytes) -> None:
        """A prompt."""
        if not self.is_hung:
            self._put(data)

    def finish(self, result: str) -> None:
        """A final result code; the next command may come."""
        self.write(result)
        self.commands.is_busy = False
        self._flush_unsolicited()

    def ask_for_text(self, done: Callable[[bytes | None], None]) -> None:
        """Prompt for a text; None: it was called off."""
        self._text = done
        self.commands.is_busy = False  # the characters that come are the text
        self.write_raw(b"\r\n> ")

    def tell(self, line: str) -> None:
        """An unsolicited line, when its time has come."""
        if not self.is_hung:
            self._unsolicited.append(line)
            if not self.commands.is_busy and self._text is None and not self._line:
                self._flush_unsolicited()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a while."""
        if seconds <= 0:
            action()
        else:
            self._later.append((self.now + seconds, action))

    def hang(self) -> None:
        """No answer from now on, until somebody resets it."""
        self.is_hung = True
        self._hang_until = self.now + self.faults.hang_seconds
        self._forget()

    def restart(self) -> None:
        """Begin anew, with what is stored and nothing else."""
        self.is_hung = False
        self._hang_until = None
        self._forget()
        self.sim.is_unlocked = not self.sim.pin
        self.commands = Commands(self)

    def acknowledge(self, is_taken: bool) -> bool:
        """AT+CNMA; False: nothing waits for it."""
        if not self._unacknowledged:
            return False
        self._unacknowledged.popleft()[1](is_taken, self.now)
        return True

    # -- the network

    def deliver(self, pdu: Deliver | StatusReport, now: float, done: Callable[[bool, float], None]) -> None:
        """A message or report arrives over the air."""
        self.now = now
        if self.is_hung or not self.commands.is_on or not self.sim.is_unlocked:
            done(False, now)
            return
        is_taken = self.commands.receive(pdu)
        if is_taken is None:
            self._unacknowledged.append((now + _ACKNOWLEDGE_TIMEOUT, done))
        else:
            done(is_taken, now)

    # -- characters

    def _forget(self) -> None:
        self._line.clear()
        self._input.clear()
        self._unsolicited.clear()
        self._text = None
        self._later.clear()
        while self._unacknowledged:
            self._unacknowledged.popleft()[1](False, self.now)

    def _read(self) -> None:
        while self._input and not self.commands.is_busy and not self.is_hung:
            octet = self._input.popleft()
            if self._text is not None:
                self._on_text(octet)
            else:
                self._on_command(octet)
            if self.faults.is_interrupting and self._unsolicited and self.random.random() < 0.05:
                self._flush_unsolicited()

    def _echo(self, octet: int) -> None:
        if self.commands.has_echo:
            self._put(bytes((octet,)))

    def _on_command(self, octet: int) -> None:
        if octet == _CR:
            self._echo(octet)
            line = self._line.decode("latin-1").strip()
            self._line.clear()
            if line.upper() == "A/":
                line = self._last_line
            if line:
                self._last_line = line
                self.commands.execute(line)
            else:
                self._flush_unsolicited()
        elif octet == _ESC:
            self._line.clear()
        elif octet == _BACKSPACE:
            self._echo(octet)
            del self._line[-1:]
        elif octet != _LF and octet != _SUB and len(self._line) < _MAX_LINE:
            self._echo(octet)
            self._line.append(octet)

    def _on_text(self, octet: int) -> None:
        done = self._text
        assert done is not None
        if octet in (_ESC, _SUB):
            self._text = None
            text = bytes(self._line)
            self._line.clear()
            self.commands.is_busy = True
            done(text if octet == _SUB else None)
        elif octet == _BACKSPACE:
            del self._line[-1:]
        elif len(self._line) < _MAX_LINE:
            self._echo(octet)
            self._line.append(octet)
            if octet == _CR:
                self.write_raw(b"\r\n> ")

    def _put(self, data: bytes) -> None:
        """Write; with faults an unsolicited line tears it in two."""
        if self.faults.is_interrupting and self._unsolicited and len(data) > 1:
            at = self.random.randrange(len(data))
            self._output += data[:at] + self._unsolicited_octets() + data[at:]
        else:
            self._output += data

    def _flush_unsolicited(self) -> None:
        if self._unsolicited and not self.is_hung:
            self._output += self._unsolicited_octets()

    def _unsolicited_octets(self) -> bytes:
        lines = "".join(f"\r\n{line}\r\n" for line in self._unsolicited)
        self._unsolicited.clear()
        return lines.encode("latin-1", "replace")
