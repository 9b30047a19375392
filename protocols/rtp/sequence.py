"""Sequence numbers of one source: probation, wrap-around, loss; RFC 3550 A.1 and A.3."""

from __future__ import annotations

__all__ = ["Sequence", "is_newer"]

MAX_DROPOUT = 3000
MAX_MISORDER = 100
MIN_SEQUENTIAL = 2

_MODULUS = 1 << 16
_NO_SEQUENCE = _MODULUS + 1  # "bad_seq": can equal no sequence number


def is_newer(sequence_number: int, than: int) -> bool:
    """Compare two 16-bit sequence numbers across the wrap."""
    return 0 < (sequence_number - than) % _MODULUS < _MODULUS // 2


class Sequence:
    """What the sequence numbers of one source say."""

    __slots__ = (
        "_bad",
        "_base",
        "_cycles",
        "_expected_prior",
        "_max",
        "_min_sequential",
        "_probation",
        "_received_prior",
        "received",
        "resets",
    )

    def __init__(self, *, min_sequential: int = MIN_SEQUENTIAL) -> None:
        self._min_sequential = min_sequential
        self._probation = -1  # before the first packet
        self._base = self._max = 0
        self._bad = _NO_SEQUENCE
        self._cycles = 0
        self._expected_prior = self._received_prior = 0
        self.received = 0
        self.resets = 0

    @property
    def is_valid(self) -> bool:
        """Whether enough packets came in sequence to believe in the source."""
        return self._probation == 0

    @property
    def highest(self) -> int:
        """The extended highest sequence number."""
        return self._cycles + self._max

    @property
    def expected(self) -> int:
        """How many packets the numbers promise."""
        return self.highest - self._base + 1 if self.is_valid else 0

    @property
    def lost(self) -> int:
        """Packets lost; negative when duplicates came (A.3)."""
        return self.expected - self.received

    def update(self, sequence_number: int) -> bool:
        """Take a packet's number; False says the packet is not (yet) to be believed."""
        if self._probation < 0:
            self._restart(sequence_number)
            self._max = (sequence_number - 1) % _MODULUS
            self._probation = self._min_sequential
        if self._probation:
            return self._prove(sequence_number)
        step = (sequence_number - self._max) % _MODULUS
        if step < MAX_DROPOUT:
            if sequence_number < self._max:
                self._cycles += _MODULUS
            self._max = sequence_number
        elif step <= _MODULUS - MAX_MISORDER:
            if sequence_number != self._bad:
                self._bad = (sequence_number + 1) % _MODULUS
                return False
            self._restart(sequence_number)  # two in sequence: the other end restarted without telling
            self.resets += 1
        self.received += 1  # what remains is a duplicate or came late
        return True

    def interval(self) -> tuple[int, int]:
        """Return expected and lost since the last call: the report's fraction lost; A.3."""
        expected = self.expected - self._expected_prior
        lost = expected - (self.received - self._received_prior)
        self._expected_prior, self._received_prior = self.expected, self.received
        return expected, lost

    def _prove(self, sequence_number: int) -> bool:
        if sequence_number == (self._max + 1) % _MODULUS:
            self._probation -= 1
            self._max = sequence_number
            if self._probation == 0:
                self._restart(sequence_number)
                self.received = 1
                return True
        else:
            self._probation = self._min_sequential - 1
            self._max = sequence_number
        return False

    def _restart(self, sequence_number: int) -> None:
        self._base = self._max = sequence_number
        self._bad = _NO_SEQUENCE
        self._cycles = 0
        self.received = 0
        self._expected_prior = self._received_prior = 0
