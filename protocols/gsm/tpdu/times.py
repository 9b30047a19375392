"""Time stamps and validity periods (3GPP TS 23.040 §9.2.3.11, .12)."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import LocalProtocolError
from .octets import Reader

__all__ = [
    "Enhanced",
    "Relative",
    "Timestamp",
    "Validity",
    "read_timestamp",
    "read_validity",
    "validity_format",
]

_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86400, 604800
_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


@dataclass(frozen=True, slots=True)
class Timestamp:
    """Local time of a service centre, and how far it is from UTC, in quarters of an hour."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    zone: int = 0

    @classmethod
    def parse(cls, octets: bytes) -> Timestamp:
        """Read seven octets, whatever is in them; ``posix`` tells whether they make sense."""
        year, month, day, hour, minute, second = (_decimal(octet) for octet in octets[:6])
        zone = _decimal(octets[6] & 0xF7)
        return cls(
            year + (2000 if year < 90 else 1900),
            *(month, day, hour, minute, second),
            -zone if octets[6] & 0x08 else zone,
        )

    @classmethod
    def at(cls, posix: float, zone: int = 0) -> Timestamp:
        """A moment, in seconds since 1970, as the clocks of a zone show it."""
        days, seconds = divmod(int(posix) + zone * 15 * _MINUTE, _DAY)
        year = 1970
        while days < 0:
            year -= 1
            days += 366 if _is_leap(year) else 365
        while days >= (size := 366 if _is_leap(year) else 365):
            days -= size
            year += 1
        month = max(m for m in range(1, 13) if _day_of_year(year, m, 1) <= days)
        day = days - _day_of_year(year, month, 1) + 1
        return cls(year, month, day, seconds // _HOUR, seconds // _MINUTE % 60, seconds % 60, zone)

    @property
    def is_valid(self) -> bool:
        """Whether there is such a time."""
        return (
            1 <= self.month <= 12
            and 1 <= self.day <= 31
            and self.hour < 24
            and self.minute < 60
            and self.second < 61
            and abs(self.zone) <= 56
        )

    @property
    def posix(self) -> float | None:
        """Seconds since 1970; None: there is no such time."""
        if not self.is_valid:
            return None
        before = self.year - 1
        leaps = before // 4 - before // 100 + before // 400 - (1969 // 4 - 1969 // 100 + 1969 // 400)
        days = (self.year - 1970) * 365 + leaps + _day_of_year(self.year, self.month, self.day)
        local = days * _DAY + self.hour * _HOUR + self.minute * _MINUTE + self.second
        return float(local - self.zone * 15 * _MINUTE)

    def __bytes__(self) -> bytes:
        if not (1990 <= self.year < 2090 and self.is_valid):
            raise LocalProtocolError(f"{self} is no time of a service centre")
        numbers = (self.year % 100, self.month, self.day, self.hour, self.minute, self.second)
        zone = _semi(abs(self.zone)) | (0x08 if self.zone < 0 else 0)
        return bytes((*map(_semi, numbers), zone))

    def __str__(self) -> str:
        hours, minutes = divmod(abs(self.zone) * 15, 60)
        return (
            f"{self.year:04}-{self.month:02}-{self.day:02}T{self.hour:02}:{self.minute:02}:{self.second:02}"
            f"{'-' if self.zone < 0 else '+'}{hours:02}:{minutes:02}"
        )


def _semi(number: int) -> int:
    return number // 10 | number % 10 << 4


def _decimal(octet: int) -> int:
    """Any octet is a number; one that is not of two digits is no valid time."""
    return (octet & 0x0F) * 10 + (octet >> 4)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _day_of_year(year: int, month: int, day: int) -> int:
    return _DAYS_BEFORE[month - 1] + day - 1 + (month > 2 and _is_leap(year))


@dataclass(frozen=True, slots=True)
class Relative:
    """A span from the moment that the service centre has the message; §9.2.3.12.1."""

    value: int = 255  # 63 weeks

    @classmethod
    def of(cls, seconds: float) -> Relative:
        """The shortest that is not shorter."""
        return cls(next((n for n in range(256) if cls(n).seconds >= seconds), 255))

    @property
    def seconds(self) -> int:
        """How long that is."""
        if self.value <= 143:
            return (self.value + 1) * 5 * _MINUTE
        if self.value <= 167:
            return 12 * _HOUR + (self.value - 143) * 30 * _MINUTE
        return (self.value - 166) * _DAY if self.value <= 196 else (self.value - 192) * _WEEK

    def __bytes__(self) -> bytes:
        if not 0 <= self.value <= 255:
            raise LocalProtocolError(f"validity period {self.value}")
        return bytes((self.value,))


@dataclass(frozen=True, slots=True)
class Enhanced:
    """§9.2.3.12.3: seconds, hours and minutes, or a single attempt. ``seconds`` None: no period is given."""

    seconds: int | None = None
    is_single_shot: bool = False

    @classmethod
    def parse(cls, octets: bytes) -> Enhanced:
        """Read seven octets; what they may not say is taken for no period."""
        functions, values = octets[0], octets[1:]
        if functions & 0x80:  # another octet of functions, none of which there is yet
            values = values[1:]
        kind = functions & 0x07
        seconds = None
        if kind == 1:
            seconds = Relative(values[0]).seconds
        elif kind == 2:
            seconds = values[0]
        elif kind == 3:
            hours, minutes, rest = (_decimal(octet) for octet in values[:3])
            seconds = hours * _HOUR + minutes * _MINUTE + rest
        return cls(seconds, bool(functions & 0x40))

    def __bytes__(self) -> bytes:
        shot = 0x40 if self.is_single_shot else 0
        if self.seconds is None:
            return bytes((shot, 0, 0, 0, 0, 0, 0))
        if 0 < self.seconds < 256:
            return bytes((shot | 2, self.seconds, 0, 0, 0, 0, 0))
        if 0 < self.seconds < 100 * _HOUR:
            hms = (self.seconds // _HOUR, self.seconds // _MINUTE % 60, self.seconds % 60)
            return bytes((shot | 3, *map(_semi, hms), 0, 0, 0))
        relative = Relative.of(self.seconds)
        if relative.seconds != self.seconds:
            raise LocalProtocolError(f"no enhanced validity period is {self.seconds} s")
        return bytes((shot | 1, relative.value, 0, 0, 0, 0, 0))


Validity = Relative | Timestamp | Enhanced
_FORMATS: dict[type[Validity] | None, int] = {None: 0, Enhanced: 1, Relative: 2, Timestamp: 3}  # TP-VPF


def validity_format(validity: Validity | None) -> int:
    """TP-VPF; §9.2.3.3."""
    return _FORMATS[None if validity is None else type(validity)]


def read_validity(reader: Reader, kind: int) -> Validity | None:
    """Read TP-VP in the format that TP-VPF says."""
    if kind == 0:
        return None
    octets = reader.take(1 if kind == 2 else 7, "validity period")
    if kind == 2:
        return Relative(octets[0])
    return Timestamp.parse(octets) if kind == 3 else Enhanced.parse(octets)


def read_timestamp(reader: Reader, field: str) -> Timestamp:
    """Read TP-SCTS or TP-DT."""
    return Timestamp.parse(reader.take(7, field))
