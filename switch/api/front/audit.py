"""The audit log: who changed what, and who was turned away."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import structlog

from switchroom.switch.store.documents import Document, Library

from ..wire.sids import new_sid

if TYPE_CHECKING:
    from ..wire.errors import ApiError
    from .operation import Ask

AUDIT = "audit"
_QUIET = 60.0
_MAX_TOLD = 10_000

log = structlog.get_logger("switchroom.api")


class Audit:
    """Writes a row for each change. Messages and calls leave rows of their own and need no other."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._told: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()  # when, how many since

    async def done(self, ask: Ask, source: str) -> None:
        """Something was changed; durable before its answer goes out."""
        key = ask.principal.key or ask.principal.account
        # Values are left out: some of them are secrets, and the resource has the others
        data: dict[str, object] = {
            "method": ask.operation.method,
            "path": ask.target,
            "by": key,
            "source": source,
            "parameters": sorted(ask.found),
        }
        await self._library.write([self._row(ask.account, "done", data)])

    def alert(self, account: str, what: str, **data: object) -> None:
        """Something happened that somebody should look at; of a kind once a minute, with their number."""
        now = time.time()
        told_at, count = self._told.get((account, what), (0.0, 0))
        if 0.0 <= now - told_at < _QUIET:
            self._told[account, what] = told_at, count + 1
            return
        self._told[account, what] = now, 0
        self._told.move_to_end((account, what))
        if len(self._told) > _MAX_TOLD:
            self._told.popitem(last=False)
        if count:
            data["since_the_last"] = count
        log.warning("api.alert", what=what, account=account, **data)
        self._library.begin([self._row(account, "alert", {"what": what, **data})])

    def refused(self, source: str, method: str, path: str, error: ApiError) -> None:
        """Somebody could not prove who they are: a line of the log, as it may come a thousand times."""
        log.warning("api.refused", source=source, method=method, path=path[:200], code=error.code)

    def _row(self, account: str, state: str, data: dict[str, object]) -> Document:
        now = time.time()
        seq = self._library.next_seq()
        return Document(seq, new_sid("AU"), account, AUDIT, now, now, data, state=state, at=now)
