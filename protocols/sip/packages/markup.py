"""XML as event packages need it: elements, text, attributes, and nothing else.

Expat itself, held short: no document type, so no entity of anybody's making and nothing fetched; UTF-8
whatever the document claims; bounds on size, depth and count. A library on top would wrap the same handlers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from ...errors import RemoteProtocolError

MAX_SIZE = 65536  # octets
MAX_DEPTH = 16
MAX_ELEMENTS = 2000
MAX_ATTRIBUTES = 32  # of one element

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
# What XML 1.0 §2.2 leaves out: it cannot even be escaped.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;",
                          "\r": "&#13;"})  # fmt: skip


@dataclass(slots=True)
class Element:
    """A name with its namespace in front ("urn:… name"), attributes, children, and the text between them."""

    name: str
    attributes: Mapping[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    @property
    def local_name(self) -> str:
        """The name without its namespace."""
        return self.name.rpartition(" ")[2]

    def all(self, name: str) -> Iterator[Element]:
        """The children of this name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        """The first child of this name."""
        return next(self.all(name), None)

    def text_of(self, name: str) -> str:
        """The text of the first child of this name, without the space around it."""
        child = self.first(name)
        return "" if child is None else child.text.strip()


class _Reader:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self._parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end
        self._parser.CharacterDataHandler = self._on_text
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def read(self, body: bytes) -> None:
        self._parser.Parse(body, True)

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise RemoteProtocolError("XML is too large")
        element = Element(name, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _on_end(self, name: str) -> None:
        self._open.pop()

    def _on_text(self, text: str) -> None:
        self._open[-1].text += text


def _refuse_doctype(*_: Any) -> None:
    raise RemoteProtocolError("XML with a document type")


def parse(body: bytes, max_size: int = MAX_SIZE) -> Element:
    """The root of a document; RemoteProtocolError when it is none, or more than we care to read."""
    if len(body) > max_size:
        raise RemoteProtocolError("XML is too large", status=413)
    reader = _Reader()
    try:
        reader.read(body)
    except (expat.ExpatError, ValueError) as error:
        raise RemoteProtocolError(f"not XML: {error}") from None
    assert reader.root is not None  # Expat wants one
    return reader.root


def clean(text: str) -> str:
    """The text without what XML cannot hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def escape(text: str) -> str:
    """The text for use between tags and in attributes."""
    return clean(text).translate(_SPECIAL)


def write(name: str, attributes: Mapping[str, str | None] = {}, *content: str) -> str:
    """An element; content is markup already, attributes that are None are left out."""
    head = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items() if value is not None)
    return f"<{name}{head}>{''.join(content)}</{name}>" if content else f"<{name}{head}/>"


def document(root: str) -> bytes:
    """The octets of a document."""
    return f"{_HEAD}{root}\n".encode()
