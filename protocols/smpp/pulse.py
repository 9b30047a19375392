"""Whether the other end of a session is there, and whether what it owes comes in time."""

from __future__ import annotations

from dataclasses import dataclass

from .codec import MAX_PDU_SIZE

__all__ = ["Pulse", "SessionConfig"]


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """How a session behaves; times in seconds, sizes in octets."""

    system_id: str = ""  # how a message centre names itself
    version: int = 0x50  # the newest interface_version that is spoken
    window: int = 100  # requests sent and not answered
    max_unanswered: int = 1000  # requests received and not answered; what is beyond gets ESME_RTHROTTLED
    max_pdu_size: int = MAX_PDU_SIZE
    max_errors: int = 100  # requests that cannot be read or come in the wrong state, until the session ends
    bind_timeout: float = 10.0
    pdu_timeout: float = 10.0  # for a PDU to be whole after its first octet
    response_timeout: float = 30.0
    enquire_interval: float = 30.0  # of silence, before the other end is asked whether it is there; 0: never
    inactivity_timeout: float = 0.0  # without any message, until the session is ended; 0: never


class Pulse:
    """The times of a session: when something came, what is owed, and when that is too late."""

    __slots__ = ("_config", "_enquiry_due_at", "_heard_at", "_partial_at", "busy_at", "opened_at")

    def __init__(self, config: SessionConfig, now: float) -> None:
        self._config = config
        self.opened_at = now  # or outbind, or bind: from when on a bind, or its answer, is waited for
        self.busy_at = now  # the last message, either way
        self._heard_at = now
        self._partial_at: float | None = None  # the first octet of a PDU that is not whole yet
        self._enquiry_due_at: float | None = None

    def hear(self, now: float) -> None:
        """Octets came, whatever they say: the other end is there."""
        self._heard_at, self._enquiry_due_at = now, None

    def note_rest(self, *, is_partial: bool, is_new: bool, now: float) -> None:
        """Part of a PDU is left over: the same one as before, or a new one. Its time is that of its start."""
        if not is_partial:
            self._partial_at = None
        elif is_new or self._partial_at is None:
            self._partial_at = now

    def enquire(self, now: float) -> None:
        """The other end is being asked whether it is there."""
        self._enquiry_due_at = now + self._config.response_timeout

    def enquire_at(self, *, is_bound: bool) -> float | None:
        """When to ask."""
        if not is_bound or not self._config.enquire_interval or self._enquiry_due_at is not None:
            return None
        return self._heard_at + self._config.enquire_interval

    def inactive_at(self, *, is_bound: bool) -> float | None:
        """When a session in which nothing is said ends."""
        if not is_bound or not self._config.inactivity_timeout:
            return None
        return self.busy_at + self._config.inactivity_timeout

    def end_at(self, *, is_bound: bool) -> tuple[float, str] | None:
        """When the session has to end for want of something, and of what."""
        config = self._config
        ends = []
        if not is_bound:
            ends.append((self.opened_at + config.bind_timeout, "no bind in time"))
        if self._partial_at is not None:
            ends.append((self._partial_at + config.pdu_timeout, "a PDU was not whole in time"))
        if self._enquiry_due_at is not None:
            ends.append((self._enquiry_due_at, "enquire_link was not answered"))
        return min(ends, default=None)
