"""What may be asked: operations by method and path, in a tree that a request walks down once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ..wire.params import Param, Values

if TYPE_CHECKING:
    from .principal import Principal

V2010 = "/2010-04-01/Accounts/{AccountSid}"
_PRODUCT_HOSTS = {"/2010-04-01": "api"}


@dataclass(slots=True)
class Ask:
    """One request that was let in."""

    operation: Operation
    principal: Principal
    account: str  # whose resources are meant
    path: dict[str, str]
    values: Values
    found: dict[str, Any]  # the parameters, read
    base: str  # scheme and host that the client used
    target: str  # the path that it asked for
    now: float

    def __getitem__(self, name: str) -> Any:
        """A parameter that was given, or None."""
        return self.found.get(name)


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is no JSON: a recording, a page of documentation."""

    body: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer that is a file: it is read as it goes out."""

    path: Path
    content_type: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An answer that is at another address."""

    url: str


Answer = dict[str, Any] | Raw | Stored | Elsewhere | None
Handler = Callable[[Ask], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path, who answers it and what it may be given."""

    method: str
    path: str
    handler: Handler
    params: tuple[Param, ...] = ()
    scope: str = ""  # what a key needs: GROUP:read or GROUP:write; empty: only the account itself
    status: int = 200
    product: str = "api"  # the first label of the host that it has elsewhere
    summary: str = ""
    is_audited: bool = True
    shows_secret: bool = False
    closed: str = ""  # what whoever wants to change it is told, where that is no matter of REST


@dataclass(slots=True)
class _Node:
    words: dict[str, _Node] = field(default_factory=dict)
    variable: tuple[str, _Node] | None = None
    operations: dict[str, Operation] = field(default_factory=dict)


class Table:
    """All operations."""

    def __init__(self) -> None:
        self._root = _Node()
        self.operations: list[Operation] = []

    def add(self, operations: Iterable[Operation]) -> None:
        """Take in operations; two for the same method and path are a mistake of ours."""
        for operation in operations:
            node = self._root
            for word in _words(operation.path):
                node = _grow(node, word)
            assert operation.method not in node.operations, operation.path
            node.operations[operation.method] = operation
            self.operations.append(operation)

    def find(self, path: str) -> tuple[dict[str, Operation], dict[str, str]]:
        """The operations of a path by method and the values of its variables; none: there is no such path."""
        found: dict[str, str] = {}
        node = self._root
        for word in _words(path):
            below = node.words.get(word)
            if below is not None:
                node = below
                continue
            if node.variable is None:
                return {}, {}
            name, node = node.variable
            found[name] = unquote(word)
        return node.operations, found


def _words(path: str) -> list[str]:
    """The parts of a path; ``.json`` says nothing, and a slash at the end neither."""
    return path.strip("/").removesuffix(".json").split("/")


def _grow(node: _Node, word: str) -> _Node:
    if not word.startswith("{"):
        return node.words.setdefault(word, _Node())
    name = word.strip("{}")
    if node.variable is None:
        node.variable = (name, _Node())
    assert node.variable[0] == name, f"{word}: {node.variable[0]} stands there"
    return node.variable[1]
