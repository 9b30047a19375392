"""``/Queues`` and their members: make, list, change, take somebody out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document, TakenError

from ...front.operation import V2010, Answer, Ask, Operation
from ...office import account_uri
from ...wire import params
from ...wire.dates import rfc2822
from ...wire.errors import ApiError, not_found
from ...wire.paging import one_page
from ..nouns import MAX_NAME
from ..wishes import Place
from .queue import Member
from .queues import MAX_SIZE

if TYPE_CHECKING:
    from ..means import Means

_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_SIZE = params.count("MaxSize", 1, MAX_SIZE)
_CREATE = (params.text("FriendlyName", is_required=True, max_size=MAX_NAME), _SIZE)
_CHANGE = (params.text("FriendlyName", max_size=MAX_NAME), _SIZE)
_TAKE = (
    params.url("Url", code=21205, is_required=True),
    params.method("Method", code=21209),
)


class QueueResources:
    """Queues of accounts."""

    def __init__(self, means: Means) -> None:
        self._office, self._queues = means.office, means.queues
        self._shelf = means.queues.shelf

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, read, write = V2010 + "/Queues", "queues:read", "queues:write"
        one, members = f"{base}/{{Sid}}.json", f"{base}/{{Sid}}/Members"
        yield Operation("GET", f"{base}.json", self.list_all, _PAGE, read, summary="List queues")
        yield Operation("POST", f"{base}.json", self.create, _CREATE, write, 201, summary="Make a queue")
        yield Operation("GET", one, self.fetch, (), read, summary="Fetch a queue")
        yield Operation("POST", one, self.update, _CHANGE, write, summary="Change a queue")
        yield Operation("DELETE", one, self.delete, (), write, summary="Delete a queue")
        yield Operation("GET", f"{members}.json", self.list_members, _PAGE, read, summary="Who waits")
        member = f"{members}/{{CallSid}}.json"
        yield Operation("GET", member, self.fetch_member, (), read, summary="Fetch one, or Front")
        yield Operation("POST", member, self.take, _TAKE, write, summary="Take one out, to another document")

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account."""
        return await self._shelf.list_first(ask, "queues", self._show)

    async def create(self, ask: Ask) -> Answer:
        """A new one."""
        doc = self._queues.make(ask.account, self._name(ask), ask["MaxSize"] or 100)
        await self._write(doc)
        return self._show(doc)

    def _name(self, ask: Ask) -> str:
        name = str(ask["FriendlyName"]).strip()
        if not name:
            raise ApiError(20422, "FriendlyName: must not be empty")
        return name

    async def _write(self, doc: Document) -> None:
        try:
            await self._office.write([doc])
        except TakenError:
            raise ApiError(20409, "FriendlyName: there is a queue of that name already") from None

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        return self._show(self._shelf.take(ask))

    async def update(self, ask: Ask) -> Answer:
        """Its name, or how many may wait."""
        doc = self._shelf.take(ask)
        if ask["FriendlyName"] is not None:
            name = self._name(ask)
            doc = doc.change(ask.now, data={"friendly_name": name}, name=f"{ask.account}/{name}")
        if ask["MaxSize"]:
            doc = doc.change(ask.now, data={"max_size": ask["MaxSize"]})
        await self._write(doc)
        return self._show(doc)

    async def delete(self, ask: Ask) -> Answer:
        """Only when nobody waits."""
        doc = self._shelf.take(ask)
        if self._queues.of(doc).members:
            raise ApiError(20409, "Somebody waits in the queue")
        await self._office.write(drops=[doc])
        self._queues.forget(doc)
        return None

    # -- members

    def _member(self, ask: Ask) -> Member:
        members = self._queues.of(self._shelf.take(ask)).members
        name = ask.path["CallSid"]
        found = members[:1] if name == "Front" else [one for one in members if one.live.sid == name]
        if not found:
            raise not_found(f"/Members/{name[:34]}" if name.isalnum() else "/Members")
        return found[0]

    async def list_members(self, ask: Ask) -> Answer:
        """Who waits, the first one first."""
        queue = self._queues.of(self._shelf.take(ask))
        return one_page(ask, "queue_members", [_show_member(one) for one in queue.members])

    async def fetch_member(self, ask: Ask) -> Answer:
        """One."""
        return _show_member(self._member(ask))

    async def take(self, ask: Ask) -> Answer:
        """It waits no more, and hears another document."""
        member = self._member(ask)
        shown = _show_member(member)
        member.take(Place(ask["Url"], ask["Method"] or "POST"))
        return shown | {"position": 0}

    def _show(self, doc: Document) -> dict[str, Any]:
        queue = self._queues.of(doc)
        return {
            "sid": doc.sid,
            "account_sid": doc.account,
            "friendly_name": doc.data["friendly_name"],
            "max_size": doc.data["max_size"],
            "current_size": len(queue.members),
            "average_wait_time": round(queue.average),
            "date_created": rfc2822(doc.created_at),
            "date_updated": rfc2822(doc.updated_at),
            "uri": account_uri(doc.account, "Queues", doc.sid),
            "subresource_uris": {"members": account_uri(doc.account, "Queues", doc.sid, "Members")},
        }


def _show_member(member: Member) -> dict[str, Any]:
    queue, sid = member.queue, member.live.sid
    return {
        "call_sid": sid,
        "queue_sid": queue.doc.sid,
        "position": queue.members.index(member) + 1,
        "wait_time": member.waited,
        "date_enqueued": rfc2822(member.since),
        "uri": account_uri(queue.doc.account, "Queues", queue.doc.sid, "Members", sid),
    }
