"""AlphaSenders: names that the messages of a service come from, where numbers are not asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document, Query, TakenError

from ..front.operation import Answer, Ask, Operation
from ..wire import params
from ..wire.dates import iso
from ..wire.errors import ApiError

if TYPE_CHECKING:
    from ..office import Office
    from .senders import Senders

_MAX = 100
_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_GIVEN = params.text("AlphaSender", is_required=True, max_size=32, code=21657)


class AlphaResources:
    """``/v1/Services/{Sid}/AlphaSenders`` of the product messaging."""

    def __init__(self, office: Office, senders: Senders) -> None:
        self._office, self._senders, self._shelf = office, senders, senders.alphas

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base = "/v1/Services/{Sid}/AlphaSenders"
        one = f"{base}/{{AlphaSid}}"
        rows = (
            ("GET", base, self.list_all, _PAGE, 200, "List its names"),
            ("POST", base, self.create, (_GIVEN,), 201, "Add a name"),
            ("GET", one, self.fetch, (), 200, "Fetch one"),
            ("DELETE", one, self.delete, (), 200, "Remove one"),
        )
        for method, path, handler, given, status, summary in rows:
            scope = "services:read" if method == "GET" else "services:write"
            yield Operation(method, path, handler, given, scope, status, "messaging", summary)

    async def list_all(self, ask: Ask) -> Answer:
        """Those of a service."""
        service = self._senders.services.take(ask)
        return await self._shelf.list_later(
            ask, "alpha_senders", lambda doc: _show(doc, ask), parent=service.sid
        )

    async def create(self, ask: Ask) -> Answer:
        """One more; a service sends from the first of them."""
        service = self._senders.services.take(ask)
        name = self._senders.check_name(ask["AlphaSender"])
        if self._office.library.count(Query(self._shelf.kind, ask.account, parent=service.sid)) >= _MAX:
            raise ApiError(21657, f"AlphaSender: a service has {_MAX} names at most")
        key = f"{service.sid}/{name.lower()}"
        doc = self._shelf.new(ask.account, {"alpha_sender": name}, parent=service.sid, name=key)
        try:
            await self._office.write([doc])
        except TakenError:
            raise ApiError(21710, f"AlphaSender: {name} is in the service already", status=409) from None
        return _show(doc, ask)

    async def fetch(self, ask: Ask) -> Answer:
        """One name."""
        return _show(self._take(ask), ask)

    async def delete(self, ask: Ask) -> Answer:
        """It leaves the service."""
        await self._office.write(drops=[self._take(ask)])
        return None

    def _take(self, ask: Ask) -> Document:
        return self._shelf.take(ask, "AlphaSid", self._senders.services.take(ask).sid)


def _show(doc: Document, ask: Ask) -> dict[str, Any]:
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "service_sid": doc.parent,
        "alpha_sender": doc.data["alpha_sender"],
        "capabilities": ["SMS"],
        "date_created": iso(doc.created_at),
        "date_updated": iso(doc.updated_at),
        "url": f"{ask.base}/v1/Services/{doc.parent}/AlphaSenders/{doc.sid}",
    }
