"""Pages of a list: as the first API writes them, and as the later ones do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .dates import end_of_day
from .errors import ApiError
from .params import Values

if TYPE_CHECKING:
    from switchroom.switch.store.documents import Document, Library, Query

    from ..front.operation import Ask

DEFAULT_SIZE = 50
MAX_SIZE = 1000
_TOKEN = re.compile(r"P([AB])([0-9]{1,18})")

Render = Callable[["Document"], dict[str, Any]]


class Page:
    """One page: which one was asked for, what is on it, and where the next one is."""

    def __init__(self, values: Values, path: str) -> None:
        self._values, self._path = values, path
        self.size = min(max(self._number("PageSize", DEFAULT_SIZE), 1), MAX_SIZE)
        self.number = self._number("Page", 0)
        token = self._one("PageToken")
        found = _TOKEN.fullmatch(token) if token else None
        if token and found is None:
            raise ApiError(20422, "PageToken: is not one of ours")
        self.before = int(found[2]) if found and found[1] == "A" else None
        self.after = int(found[2]) if found and found[1] == "B" else None
        self.rows: Sequence[Document] = ()
        self._has_more = False

    async def load(self, library: Library, query: Query) -> Page:
        """Read the rows, and one more to know whether there is another page."""
        rows = await library.page(replace(query, before=self.before, after=self.after, limit=self.size + 1))
        self.fill(rows)
        return self

    def fill(self, rows: Sequence[Document]) -> None:
        """Take rows in their order, one more than the page has if there is another page."""
        self._has_more = len(rows) > self.size
        self.rows = rows[1:] if self.after is not None and self._has_more else rows[: self.size]

    def first_api(self, key: str, render: Render) -> dict[str, Any]:
        """The page of the API of 2010: nothing may stand beside the list and these keys."""
        start = self.number * self.size
        return {
            key: [render(row) for row in self.rows],
            "page": self.number,
            "page_size": self.size,
            "start": start,
            "end": start + max(len(self.rows) - 1, 0),
            "uri": self._uri(self.number, self._one("PageToken")),
            "first_page_uri": self._uri(0, ""),
            "next_page_uri": self._next(),
            "previous_page_uri": self._previous(),
        }

    def later_api(self, key: str, base: str, render: Render) -> dict[str, Any]:
        """The page of the later APIs; its addresses are whole."""

        def whole(uri: str | None) -> str | None:
            return None if uri is None else base + uri

        return {
            key: [render(row) for row in self.rows],
            "meta": {
                "key": key,
                "page": self.number,
                "page_size": self.size,
                "first_page_url": whole(self._uri(0, "")),
                "previous_page_url": whole(self._previous()),
                "url": whole(self._uri(self.number, self._one("PageToken"))),
                "next_page_url": whole(self._next()),
            },
        }

    def _next(self) -> str | None:
        if not self.rows or not (self._has_more or self.after is not None):
            return None
        return self._uri(self.number + 1, f"PA{self.rows[-1].seq}")

    def _previous(self) -> str | None:
        if not self.rows or self.number < 1:
            return None
        return self._uri(self.number - 1, f"PB{self.rows[0].seq}")

    def _uri(self, number: int, token: str) -> str:
        kept = [
            (name, value)
            for name, given in self._values.items()
            if name not in ("Page", "PageToken", "PageSize")
            for value in given
        ]
        kept += [("PageSize", str(self.size)), ("Page", str(number))]
        return f"{self._path}?{urlencode(kept + ([('PageToken', token)] if token else []))}"

    def _one(self, name: str) -> str:
        given = self._values.get(name)
        return given[-1] if given else ""

    def _number(self, name: str, default: int) -> int:
        text = self._one(name)
        if not text:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise ApiError(20422, f"{name}: must be a whole number")
        return int(text)


def one_page(ask: Ask, key: str, rows: list[dict[str, Any]], least: int = DEFAULT_SIZE) -> dict[str, Any]:
    """A list that is in memory, and never long, as a page of the API of 2010; ``least``: of its size."""
    return {
        key: rows,
        "page": 0,
        "page_size": max(len(rows), least),
        "start": 0,
        "end": max(len(rows) - 1, 0),
        "uri": ask.target,
        "first_page_uri": ask.target,
        "next_page_uri": None,
        "previous_page_uri": None,
    }


def one_later_page(ask: Ask, key: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same as a page of the later APIs."""
    url = ask.base + ask.target
    meta = {"key": key, "page": 0, "page_size": max(len(rows), DEFAULT_SIZE), "url": url}
    meta |= {"first_page_url": url, "previous_page_url": None, "next_page_url": None}
    return {key: rows, "meta": meta}


def spans(found: Mapping[str, Any], name: str) -> tuple[float | None, float | None]:
    """The first and last moment that NAME, NAME< and NAME> leave; a day means the whole of it."""
    since: float | None = None
    until: float | None = None
    for sign in ("", ">", "<"):
        given = found.get(name + sign)
        if not given:
            continue
        at, is_day = given
        is_day = is_day or (not sign and at % 86400 == 0)  # clients write a day as its midnight
        last = end_of_day(at) if is_day else at
        if sign != "<":
            since = at if since is None else max(since, at)
        if sign != ">":
            until = last if until is None else min(until, last)
    return since, until
