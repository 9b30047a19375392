"""What the octets of a message are: character sets, and the data coding scheme (3GPP TS 23.038 §4).

``decode`` is total. ``DataCoding.parse`` takes any octet; what is reserved means what the specification
says it is to be taken for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from ...errors import LocalProtocolError
from .alphabet import DEFAULT

__all__ = ["Charset", "DataCoding", "MessageClass", "Waiting", "WaitingKind", "decode", "encode"]


class Charset(Enum):
    """How characters become octets. The first three are those of a data coding scheme; §4."""

    GSM7 = "gsm7"  # one septet an octet
    BINARY = "binary"
    UCS2 = "ucs2"  # with the surrogate pairs of UTF-16, as every telephone reads it
    ASCII = "ascii"
    LATIN1 = "latin1"

    @property
    def unit(self) -> str:
        """What its lengths are counted in."""
        return {Charset.GSM7: "septets", Charset.UCS2: "UCS-2 units"}.get(self, "octets")


def encode(text: str, charset: Charset) -> bytes:
    """The octets of a text; LocalProtocolError where a character has none. Lone surrogates become U+FFFD."""
    if charset is Charset.GSM7:
        return DEFAULT.encode(text)
    if charset is Charset.UCS2:
        try:
            return text.encode("utf-16-be")
        except UnicodeEncodeError:
            return (
                text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace").encode("utf-16-be")
            )
    codec = "ascii" if charset is Charset.ASCII else "latin-1"
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"U+{ord(text[error.start]):04X} is not in {charset.value}") from None


def decode(octets: bytes, charset: Charset) -> str:
    """The text of some octets; what is no character becomes U+FFFD. Binary is shown as Latin-1."""
    if charset is Charset.GSM7:
        return DEFAULT.decode(octets)
    if charset is Charset.UCS2:
        return octets.decode("utf-16-be", "replace")
    return octets.decode("ascii" if charset is Charset.ASCII else "latin-1", "replace")


class MessageClass(IntEnum):
    """Where a message goes in the telephone; §4."""

    FLASH = 0  # shown at once, not stored
    ME = 1
    SIM = 2
    TE = 3


class WaitingKind(IntEnum):
    """What waits; §4."""

    VOICEMAIL = 0
    FAX = 1
    EMAIL = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sign of the screen is set or cleared, and the message itself stored or not; §4."""

    kind: WaitingKind
    is_active: bool
    is_stored: bool


@dataclass(frozen=True, slots=True)
class DataCoding:
    """TP-DCS, field by field. What a sender cannot ask for raises LocalProtocolError in ``int()``."""

    charset: Charset = Charset.GSM7
    message_class: MessageClass | None = None
    waiting: Waiting | None = None
    is_compressed: bool = False
    is_deleted_automatically: bool = False  # after it was read

    @classmethod
    def parse(cls, octet: int) -> DataCoding:
        """Read any octet; §4: what is reserved is taken for the default alphabet."""
        octet &= 0xFF
        group = octet >> 4
        if group < 0x8:
            return _parse_general(octet)
        if group == 0xF:
            charset = Charset.BINARY if octet & 0x04 else Charset.GSM7
            return cls(charset, MessageClass(octet & 0x03))
        if group >= 0xC:
            waiting = Waiting(WaitingKind(octet & 0x03), bool(octet & 0x08), group > 0xC)
            return cls(Charset.UCS2 if group == 0xE else Charset.GSM7, waiting=waiting)
        return cls()

    def __int__(self) -> int:
        if self.charset not in _BITS:
            raise LocalProtocolError(f"no data coding scheme says {self.charset.value}")
        if self.waiting is not None:
            return self._waiting_octet(self.waiting)
        octet = _BITS[self.charset] | 0x20 * self.is_compressed | 0x40 * self.is_deleted_automatically
        return octet if self.message_class is None else octet | 0x10 | self.message_class

    def _waiting_octet(self, waiting: Waiting) -> int:
        groups = {(Charset.GSM7, False): 0xC0, (Charset.GSM7, True): 0xD0, (Charset.UCS2, True): 0xE0}
        octet = groups.get((self.charset, waiting.is_stored))
        if octet is None or self.message_class is not None or self.is_compressed:
            raise LocalProtocolError("no data coding scheme says this of a message waiting")
        return octet | 0x08 * waiting.is_active | waiting.kind

    @property
    def is_flash(self) -> bool:
        """Whether it is shown at once and not kept."""
        return self.message_class is MessageClass.FLASH


_BITS = {Charset.GSM7: 0x00, Charset.BINARY: 0x04, Charset.UCS2: 0x08}
_CHARSETS = (Charset.GSM7, Charset.BINARY, Charset.UCS2, Charset.GSM7)  # the last one is reserved


def _parse_general(octet: int) -> DataCoding:
    """The general group 00xx xxxx, and 01xx xxxx, which is deleted after reading."""
    return DataCoding(
        _CHARSETS[octet >> 2 & 0x03],
        MessageClass(octet & 0x03) if octet & 0x10 else None,
        is_compressed=bool(octet & 0x20),
        is_deleted_automatically=bool(octet & 0x40),
    )
