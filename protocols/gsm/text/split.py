"""Texts into the parts that are sent: the cheapest encoding, and cuts that tear nothing apart.

A message has 140 octets of user data (3GPP TS 23.040 §9.2.3.24): 160 septets, or 153 behind the header of a
concatenation; 70 UCS-2 units, or 67.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ...errors import LocalProtocolError
from . import coding
from .alphabet import DEFAULT, Alphabet, Language, alphabet
from .coding import Charset
from .graphemes import clusters
from .header import MAX_SIZE, Concatenation, Ports, UserDataHeader
from .tables import LOCKING

__all__ = ["MAX_PARTS", "Encoding", "Part", "choose", "encodings", "split", "split_binary"]

MAX_PARTS = 255


@dataclass(frozen=True)
class Encoding:
    """How a text is written: a charset, and for septets an alphabet."""

    charset: Charset = Charset.GSM7
    alphabet: Alphabet = DEFAULT

    @cached_property
    def name(self) -> str:
        """As a person reads it."""
        if self.charset is not Charset.GSM7:
            return "UCS-2" if self.charset is Charset.UCS2 else str(self.charset.value)
        shifts = (("locking", self.alphabet.locking), ("single", self.alphabet.single))
        chosen = [f"{language.name.capitalize()} {kind} shift" for kind, language in shifts if language]
        return " with ".join(["GSM 7-bit", " and ".join(chosen)]) if chosen else "GSM 7-bit"

    def encode(self, text: str) -> bytes:
        """Its octets; a septet is one, not packed yet."""
        if self.charset is Charset.GSM7:
            return self.alphabet.encode(text)
        return coding.encode(text, self.charset)

    def decode(self, octets: bytes) -> str:
        """Any octets are some text."""
        if self.charset is Charset.GSM7:
            return self.alphabet.decode(octets)
        return coding.decode(octets, self.charset)

    def covers(self, text: str) -> bool:
        """Whether it can say every character."""
        return self.charset is Charset.UCS2 or self.alphabet.covers(text)

    def room(self, header: int) -> int:
        """Encoded octets (of septets: one each) that a part takes beside a header of so many octets."""
        room = MAX_SIZE - header
        if self.charset is Charset.GSM7:
            return room * 8 // 7
        return room // 2 * 2 if self.charset is Charset.UCS2 else room

    @property
    def octets_per_unit(self) -> int:
        """Of what ``encode`` gives."""
        return 2 if self.charset is Charset.UCS2 else 1


GSM7 = Encoding()
UCS2 = Encoding(Charset.UCS2)


@dataclass(frozen=True, slots=True)
class Part:
    """One message of those that make a text; ``data`` has one septet an octet."""

    encoding: Encoding
    header: UserDataHeader
    data: bytes

    @property
    def text(self) -> str:
        """What it says alone."""
        return self.encoding.decode(self.data)

    @property
    def units(self) -> int:
        """Its length as users count it, without the header."""
        return len(self.data) // self.encoding.octets_per_unit


def encodings(languages: Iterable[Language] = ()) -> Iterator[Encoding]:
    """Every way to write a text, the surest first; ``languages``: whose tables the receivers know."""
    yield GSM7
    yield UCS2
    wanted = [language for language in languages if language]
    for single in wanted:
        yield Encoding(alphabet=alphabet(0, single))
    for locking in wanted:
        if locking in LOCKING:
            for single in (Language.DEFAULT, *wanted):
                yield Encoding(alphabet=alphabet(locking, single))


def choose(text: str, languages: Sequence[Language] = (), ports: Ports | None = None) -> Encoding:
    """The encoding with the fewest parts; of several the one that most telephones read."""
    if DEFAULT.covers(text) and (not languages or len(text) <= 70):
        return GSM7
    if not languages:
        return UCS2
    return min((e for e in encodings(languages) if e.covers(text)), key=lambda e: _count(text, e, ports))


def split(
    text: str,
    *,
    reference: int = 0,
    is_wide: bool = False,
    ports: Ports | None = None,
    languages: Sequence[Language] = (),
    encoding: Encoding | None = None,
    max_parts: int = MAX_PARTS,
) -> list[Part]:
    """The parts of a text, in the encoding that is given or else the cheapest one.

    ``reference`` is the concatenation's, of 8 bits or (``is_wide``) 16; one part needs none.
    """
    if encoding is None:
        encoding = choose(text, languages, ports)
    header = UserDataHeader.of(ports=ports, alphabet=encoding.alphabet)
    data = encoding.encode(text)
    if len(data) <= encoding.room(len(header)):
        return [Part(encoding, header, data)]
    return _numbered(
        _cut(text, encoding, _long_header(header, is_wide)), encoding, header, reference, is_wide, max_parts
    )


def split_binary(
    data: bytes,
    *,
    reference: int = 0,
    is_wide: bool = False,
    ports: Ports | None = None,
    max_parts: int = MAX_PARTS,
) -> list[Part]:
    """The parts of what is no text."""
    encoding = Encoding(Charset.BINARY)
    header = UserDataHeader.of(ports=ports)
    if len(data) <= encoding.room(len(header)):
        return [Part(encoding, header, data)]
    room = encoding.room(_long_header(header, is_wide))
    pieces = (data[at : at + room] for at in range(0, len(data), room))
    return _numbered(pieces, encoding, header, reference, is_wide, max_parts)


def _long_header(header: UserDataHeader, is_wide: bool) -> int:
    return (len(header) or 1) + 5 + is_wide


def _numbered(
    pieces: Iterable[bytes],
    encoding: Encoding,
    header: UserDataHeader,
    reference: int,
    is_wide: bool,
    max_parts: int,
) -> list[Part]:
    data = list(_at_most(pieces, min(max_parts, MAX_PARTS)))
    reference &= 0xFFFF if is_wide else 0xFF
    whole = Concatenation(reference, len(data), 1, is_wide)
    return [
        Part(encoding, UserDataHeader((replace(whole, number=n).element(), *header.elements)), piece)
        for n, piece in enumerate(data, 1)
    ]


def _at_most(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    for count, piece in enumerate(pieces):
        if count == limit:
            raise LocalProtocolError(f"a message of more than {limit} parts")
        yield piece


def _cut(text: str, encoding: Encoding, header: int) -> Iterator[bytes]:
    """Fill one part after the other; a cluster that no part has room for is cut between characters."""
    room = encoding.room(header)
    if encoding.charset is Charset.GSM7 and text.isascii() and "\r\n" not in text:
        whole = encoding.encode(text)
        if len(whole) == len(text):  # no escapes: nothing can be torn apart
            yield from (whole[at : at + room] for at in range(0, len(whole), room))
            return
    piece = bytearray()
    for data in _pieces(text, encoding.encode, room):
        if len(piece) + len(data) > room:
            yield bytes(piece)
            piece.clear()
        piece += data
    yield bytes(piece)


def _pieces(text: str, encode: Callable[[str], bytes], room: int) -> Iterator[bytes]:
    for cluster in clusters(text):
        data = encode(cluster)
        if len(data) <= room:
            yield data
        else:
            yield from map(encode, cluster)


def _count(text: str, encoding: Encoding, ports: Ports | None) -> int:
    """Parts that a text takes; no reference is wide while encodings are compared."""
    header = len(UserDataHeader.of(ports=ports, alphabet=encoding.alphabet))
    if len(encoding.encode(text)) <= encoding.room(header):
        return 1
    return sum(1 for _ in _cut(text, encoding, (header or 1) + 5))
