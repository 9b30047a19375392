"""A TwiML document as it is read: bounded in every way, with no DTD and no entities of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_SIZE = 65536
MAX_DEPTH = 16
MAX_ELEMENTS = 200
MAX_ATTRIBUTES = 100


class TwimlError(Exception):
    """The document cannot be used; the code is that of the documents about errors."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code}: {message}")


@dataclass(slots=True)
class Element:
    """An element as it stands in the document."""

    name: str
    attributes: dict[str, str]
    parts: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own text, without the space around it."""
        return "".join(self.parts).strip()

    @property
    def all_text(self) -> str:
        """Its text with that of what is in it: of markup for speech only the words."""
        return " ".join(" ".join(self._words()).split())

    def _words(self) -> Iterator[str]:
        yield "".join(self.parts)
        for child in self.children:
            yield from child._words()


class _Builder:
    """Takes what expat reads; stops it at the first thing that is too much."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise TwimlError(12100, f"more than {MAX_ELEMENTS} elements")
        if len(self._open) >= MAX_DEPTH:
            raise TwimlError(12100, f"nested deeper than {MAX_DEPTH}")
        if len(attributes) > MAX_ATTRIBUTES:
            raise TwimlError(12100, f"more than {MAX_ATTRIBUTES} attributes")
        element = Element(name, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        if self._open:
            self._open[-1].parts.append(data)


def read(data: bytes) -> Element:
    """Read a document; TwimlError: it is too large, no XML, or begins with something else than Response."""
    if len(data) > MAX_SIZE:
        raise TwimlError(11750, f"larger than {MAX_SIZE} octets")
    if not data.strip():
        raise TwimlError(11770, "the document is empty")
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    parser.ExternalEntityRefHandler = _refuse_doctype
    parser.XmlDeclHandler = _check_version
    try:
        parser.Parse(data.lstrip(), True)
    except expat.ExpatError as error:
        raise TwimlError(12100, f"line {error.lineno}: {expat.errors.messages[error.code]}") from None
    except (ValueError, LookupError) as error:  # an encoding that is none
        raise TwimlError(12100, str(error)) from None
    assert builder.root is not None
    if builder.root.name != "Response":
        raise TwimlError(12102, f"the root is {builder.root.name[:40]}, not Response")
    return builder.root


def _refuse_doctype(*_: object) -> int:
    raise TwimlError(12100, "a document type is not allowed")


def _check_version(version: str, encoding: str | None, standalone: int) -> None:
    if version != "1.0":
        raise TwimlError(12101, f"XML {version[:10]} is not 1.0")
