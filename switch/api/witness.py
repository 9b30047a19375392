"""What happens in the switch besides the API: calls, messages, registrations; for the main account."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from switchroom.switch.sms.interfaces import State

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call
    from switchroom.switch.config import ApiConfig
    from switchroom.switch.net.bus import Bus
    from switchroom.switch.sms.stored import Stored
    from switchroom.switch.store.documents.library import Event

_MAX_CALLS = 1_000_000
SEEN = "call.seen"  # topic of the bus
_OWN = "api:"  # inlets whose messages have events of their own


class Calls(Protocol):
    """Whoever tells of calls."""

    on_call_state: list[Callable[[Call, float], None]]


class Fates(Protocol):
    """Whoever tells of messages that are over."""

    on_final: list[Callable[[Stored, float], None]]


class States:
    """What was told last of each call."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}

    def new_of(self, call: Call) -> str:
        """Its state, if that was not told yet."""
        state = "ended" if call.is_over else "answered" if call.answered_at is not None else "ringing"
        if state == self._states.get(call.id):
            return ""
        if state == "ended":
            self._states.pop(call.id, None)
        elif len(self._states) < _MAX_CALLS:
            self._states[call.id] = state
        return state


class Onlooker:
    """In a worker without REST: tells the one that has it of calls."""

    def __init__(self, calls: Calls, bus: Bus, is_wanted: Callable[[], bool]) -> None:
        self._bus, self._is_wanted, self._states = bus, is_wanted, States()
        if not bus.is_leader:
            calls.on_call_state.append(self._on_call)

    def _on_call(self, call: Call, now: float) -> None:
        if not self._is_wanted():
            return
        state = self._states.new_of(call)
        if state:
            self._bus.send(0, SEEN, (state, call.id, _of_call(call, state)))


class Witness:
    """Sees, and writes down: events follow what they tell of, and a crash can lose the last of them."""

    def __init__(self, config: ApiConfig, begin: Callable[[list[Event]], object], account: str) -> None:
        """``begin``: writes events; ``account``: whose stream they are in."""
        self.config = config
        self._begin, self._account = begin, account
        self._states = States()
        self._contacts: dict[str, int] = {}  # telephones of users, as they were told last
        self._calls: Calls | None = None
        self._fates: Fates | None = None

    def watch(self, calls: Calls | None, fates: Fates | None) -> None:
        """Be told."""
        self._calls, self._fates = calls, fates
        if calls is not None:
            calls.on_call_state.append(self.on_call)
        if fates is not None:
            fates.on_final.append(self.on_message)

    def stop(self) -> None:
        """Be told no more."""
        if self._calls is not None:
            self._calls.on_call_state.remove(self.on_call)
        if self._fates is not None:
            self._fates.on_final.remove(self.on_message)

    def on_call(self, call: Call, now: float) -> None:
        """A call rings, was answered, or ended."""
        if "calls" not in self.config.events:
            return
        state = self._states.new_of(call)
        if state:
            self._tell(f"switch.call.{state}", call.id, _of_call(call, state))

    def hear(self, told: Any, slot: int) -> None:
        """What another worker has seen of a call."""
        if "calls" in self.config.events:
            state, call, data = told
            self._tell(f"switch.call.{state}", call, data)

    def on_message(self, message: Stored, now: float) -> None:
        """A message is over, whichever way it came."""
        if "messages" not in self.config.events or message.submission.inlet.startswith(_OWN):
            return
        data = {
            "inlet": message.submission.inlet,
            "outlet": message.outlet,
            "from": message.source.number,
            "to": message.destination.number,
            "parts": message.parts,
            "reason": message.reason,
        }
        self._tell(f"switch.message.{State(message.state).name.lower()}", str(message.id), data)

    def on_registered(self, user: str, contacts: int) -> None:
        """A user may have another number of telephones; what was registered for longer is no event."""
        if "registrations" not in self.config.events or self._contacts.get(user, 0) == contacts:
            return
        if contacts:
            self._contacts[user] = contacts
        else:
            self._contacts.pop(user, None)
        self._tell("switch.registration.changed", user, {"user": user, "contacts": contacts})

    def _tell(self, kind: str, subject: str, data: dict[str, Any]) -> None:
        self._begin([(self._account, kind, subject, data)])


def _of_call(call: Call, state: str) -> dict[str, Any]:
    record = call.record
    data: dict[str, Any] = {
        "from": record.caller,
        "to": record.callee,
        "from_account": record.from_user,
        "to_account": record.to_user,
    }
    if state == "ended":
        data |= {
            "duration": round(record.duration, 3),
            "cause": record.cause,
            "reason": record.reason,
            "ended_by": record.ended_by,
            "verdict": record.verdict,
        }
    return data
