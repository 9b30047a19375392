"""What a simulator can be told while it runs, one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

__all__ = ["Order", "Orders"]

Order = tuple[Callable[[Any, str], Iterator[str]], str, str]  # what does it, its arguments, in plain words


class _Rule(Protocol):
    """What happens to messages for numbers of a pattern."""

    @property
    def pattern(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def value(self) -> float: ...


R = TypeVar("R", bound=_Rule)


class Orders(Generic[R]):
    """Lines in, lines out; ``table`` has the orders of one simulator by their words."""

    table: ClassVar[Mapping[str, Order]]

    def __init__(
        self, rules: Callable[[], list[R]], parse: Callable[[str], R], turn: Callable[[], object]
    ) -> None:
        """``rules``: the list that counts now; ``turn``: let happen what an order began."""
        self._rules_now, self._parse, self._turn = rules, parse, turn

    def execute(self, line: str) -> list[str]:
        """Do what a line says; ValueError says what is wrong with it."""
        word, _, rest = line.strip().partition(" ")
        if not word:
            return []
        order = self.table.get(word)
        if order is None:
            raise ValueError(f"{word!r:.40} is none of {', '.join(self.table)}")
        answer = list(order[0](self, rest.strip()))
        self._turn()
        return answer

    def _help(self, rest: str) -> Iterator[str]:
        width = max(len(f"{name} {order[1]}") for name, order in self.table.items())
        for name, (_, arguments, text) in self.table.items():
            yield f"{f'{name} {arguments}':{width}}  {text}".rstrip()

    def _rule(self, rest: str) -> Iterator[str]:
        rule, rules = self._parse(rest), self._rules_now()
        rules[:] = [rule, *(other for other in rules if other.pattern != rule.pattern)]
        yield from self._rules("")

    def _forget(self, rest: str) -> Iterator[str]:
        rules = self._rules_now()
        rules[:] = [rule for rule in rules if rest and rule.pattern != rest.lstrip("+")]
        yield from self._rules("")

    def _rules(self, rest: str) -> Iterator[str]:
        for rule in self._rules_now():
            yield f"{rule.pattern}={rule.action}:{rule.value:g}"
