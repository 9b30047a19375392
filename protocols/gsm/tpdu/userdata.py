"""TP-UD: a header, and characters or octets behind it (3GPP TS 23.040 §9.2.3.24)."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import LocalProtocolError, RemoteProtocolError
from ..text import Charset, DataCoding, Part, UserDataHeader, decode, pack, unpack
from .octets import Reader

__all__ = ["UserData", "read_user_data", "user_data_of"]

_MAX_SIZE = 140


@dataclass(frozen=True, slots=True)
class UserData:
    """``data`` has one septet an octet where the data coding scheme says the default alphabet."""

    data: bytes = b""
    header: UserDataHeader | None = None

    @classmethod
    def of(cls, part: Part) -> UserData:
        """One part of a text that was split."""
        return cls(part.data, part.header if part.header.elements else None)

    def text(self, data_coding: int) -> str:
        """What it says; any octets say something."""
        coding = DataCoding.parse(data_coding)
        if coding.charset is Charset.GSM7 and not coding.is_compressed and self.header is not None:
            return self.header.alphabet.decode(self.data)
        return decode(self.data, Charset.BINARY if coding.is_compressed else coding.charset)

    def write(self, data_coding: int) -> bytes:
        """TP-UDL and TP-UD."""
        header = b"" if self.header is None else bytes(self.header)
        if not is_septets(data_coding):
            octets, length = header + self.data, len(header) + len(self.data)
        else:
            fill_bits = -len(header) * 8 % 7
            octets = header + pack(self.data, fill_bits)
            length = (len(header) * 8 + fill_bits) // 7 + len(self.data)
        if len(octets) > _MAX_SIZE:
            raise LocalProtocolError(f"{len(octets)} octets of user data")
        return bytes((length,)) + octets


def is_septets(data_coding: int) -> bool:
    """Whether TP-UDL counts septets; §9.2.3.16."""
    coding = DataCoding.parse(data_coding)
    return coding.charset is Charset.GSM7 and not coding.is_compressed


def read_user_data(reader: Reader, data_coding: int, *, has_header: bool) -> UserData:
    """Read TP-UDL and TP-UD. What TP-UDL says beyond the octets that there are is passed over.

    A header that cannot be read is taken for data: the message is shown, if strangely, and not lost.
    """
    length = reader.octet("user data length") if reader.left else 0
    septets = is_septets(data_coding)
    octets = reader.take(min(reader.left, -(-length * 7 // 8) if septets else length, _MAX_SIZE), "user data")
    header, size = None, 0
    if has_header:
        try:
            header, rest = UserDataHeader.parse(octets)
        except RemoteProtocolError:
            pass
        else:
            size = len(octets) - len(rest)
    if not septets:
        return UserData(octets[size:], header)
    fill_bits = -size * 8 % 7
    before = (size * 8 + fill_bits) // 7
    return UserData(unpack(octets[size:], max(length - before, 0), fill_bits), header)


def user_data_of(octets: bytes, data_coding: int, *, has_header: bool) -> UserData:
    """TP-UD where nobody says how long it is, as in text mode: seven bits of zeros at its end are padding."""
    length = len(octets) * 8 // 7 if is_septets(data_coding) else len(octets)
    data = read_user_data(Reader(bytes((min(length, 255),)) + octets), data_coding, has_header=has_header)
    is_padded = is_septets(data_coding) and length * 7 % 8 == 0 and data.data.endswith(b"\0")
    return UserData(data.data[:-1], data.header) if is_padded else data
