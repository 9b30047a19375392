"""What becomes of a subaccount that is closed: it gives back its numbers, and nothing of it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.switch.store.documents import Query

from ..front.accounts import KEY
from ..sip.kinds import KINDS
from .numbers import CALLER_ID, NUMBER, POOLED

if TYPE_CHECKING:
    from ..messages.resource import MessageResources
    from ..office import Office
    from ..voice.room import VoiceRoom

_GONE = (NUMBER, POOLED, CALLER_ID, KEY, *KINDS)
_ALL = 100_000


class Closing:
    """Closes accounts for ever."""

    def __init__(self, office: Office, messages: MessageResources, voice: VoiceRoom) -> None:
        self._office, self._messages, self._voice = office, messages, voice

    async def close(self, account: str) -> None:
        """After its status says so: what it did stays to be read, what it has goes."""
        queries = (Query(kind, account, limit=_ALL) for kind in _GONE)
        gone = [doc for query in queries for doc in self._office.library.select(query)]
        released = [doc for doc in gone if doc.kind == NUMBER]
        events = [(account, "number.released", doc.sid, {"phone_number": doc.name}) for doc in released]
        if gone:
            await self._office.write(drops=gone, events=events)
        await self._messages.cancel_all(account)
        for conversation in list(self._voice.board.calls.values()):
            if conversation.live.account == account:
                await conversation.hang_up()
