"""The calls of the API that are up: those that come in for numbers, and those that programs ask for."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog

from switchroom.switch.calls.identity import Identity
from switchroom.switch.calls.script import Call, Credentials, Leg, NotAnswered, Outward
from switchroom.switch.store.documents import Document

from ..office import Shelf
from ..resources.applications import APPLICATION
from ..wire.errors import ApiError
from .answering import find_out
from .conversation import Conversation
from .live import Live
from .means import APP, Means
from .render import CALL, sip_headers, status_of
from .wishes import (
    Detection,
    Place,
    Tell,
)

if TYPE_CHECKING:
    from switchroom.switch.calls.routing import Inquiry

    from ..front.operation import Ask
    from ..resources.numbers import NumberResources

_RESUMABLE = 60.0  # seconds after which a call that was asked for before a crash is not made any more

log = structlog.get_logger("switchroom.api")


class Switchboard:
    """All of them, by their SIDs."""

    def __init__(self, means: Means, numbers: NumberResources) -> None:
        self._means, self._numbers = means, numbers
        self._applications = Shelf(means.office, APPLICATION, "AP")
        self.shelf = Shelf(means.office, CALL, "CA")
        self.calls = means.conversations
        means.apps.add(APP, self._incoming)

    def start(self) -> None:
        """Take calls; go on with what an earlier process had promised."""
        self._means.apps.claims.append(self._claim)
        for doc in self.shelf.left("queued", "ringing", "in-progress"):
            self._recover(doc)

    def stop(self) -> None:
        """Take no calls any more."""
        self._means.apps.claims.remove(self._claim)

    def take_up(self, ask: Ask) -> tuple[Live, Call | Leg]:
        """The call of a request, which must be up; ApiError."""
        doc = self.shelf.take(ask)
        conversation = self.calls.get(doc.sid)
        if conversation is None or conversation.call is None or doc.state != "in-progress":
            raise ApiError(21220, "The call is not in progress")
        return conversation.live, conversation.call

    def _recover(self, doc: Document) -> None:
        if doc.state == "queued" and "place" in doc.data and time.time() - doc.created_at < _RESUMABLE:
            self.place(Live(self._means.office, doc))
        else:
            Live(self._means.office, doc).end("failed", 500)

    # -- coming in

    def _claim(self, inquiry: Inquiry) -> str | None:
        return APP if self._owner(inquiry.called) is not None else None

    def _owner(self, number: str) -> Document | None:
        found = self._numbers.owner(number)
        if found is None and number.isdecimal():
            found = self._numbers.owner("+" + number)
        return None if found is not None and found.data["trunk_sid"] else found

    async def _incoming(self, call: Call) -> None:
        number = self._owner(call.called)
        if number is None:  # released meanwhile
            await call.reject(404)
            return
        source = self._hooks(number)
        data: dict[str, Any] = {"direction": "inbound", "number": number.sid}
        if told := sip_headers(call):
            data["sip"] = told
        if call.caller_name:
            data["caller_name"] = call.caller_name
        if source["status_callback"]:
            method = source["status_callback_method"] or "POST"
            data["callback"] = {"url": source["status_callback"], "method": method, "events": ["completed"]}
        doc = self.shelf.new(
            number.account, data, state="ringing", source=call.caller, target=str(number.name)
        )
        live = Live(self._means.office, doc)
        live.begin()
        if not source["voice_url"] or not self._means.office.accounts.is_active(number.account):
            live.complain(11100, f"{number.name} has no VoiceUrl")
            live.end("failed", 480)
            await call.reject(480, "The number has no application")
            return
        place = Place(
            source["voice_url"],
            source["voice_method"] or "POST",
            source["voice_fallback_url"] or "",
            source["voice_fallback_method"] or "POST",
        )
        await self._converse(Conversation(self._means, live), call, place)

    async def answer(self, live: Live, call: Call, place: Place) -> None:
        """A call that is up by other rules than those of numbers: carry its documents out."""
        await self._converse(Conversation(self._means, live), call, place)

    def _hooks(self, number: Document) -> dict[str, Any]:
        """The number's webhooks, or those of its application."""
        sid = number.data["voice_application_sid"]
        application = self._applications.find(number.account, sid) if sid else None
        return number.data if application is None else application.data

    async def _converse(self, conversation: Conversation, call: Call, place: Place, keys: str = "") -> None:
        live = conversation.live
        self.calls[live.sid] = conversation
        try:
            self._record(live, call)
            if keys:
                await call.send_keys(keys)
            await self._find_out(live, call)
            await conversation.run(call, place)
            if not call.is_over:
                await call.hang_up()
        finally:
            self.calls.pop(live.sid, None)
            record = call.entry
            cause = record.cause or 0
            has_given_up = record.ended_by == "caller"
            self._end(live, "canceled" if has_given_up else status_of(cause), cause)

    async def _find_out(self, live: Live, call: Call) -> None:
        """Who has answered, if that is asked for: before the documents, or beside them."""
        given = live.doc.data.get("detect")
        if given is None:
            return
        wish = Detection(**given)
        work = find_out(self._means, live, call, wish)
        if wish.is_beside:
            self._means.office.spawn(work)
        else:
            await work

    def _end(self, live: Live, state: str, cause: int) -> None:
        live.end(state, cause)
        self._means.conferences.note_end(live)

    def _record(self, live: Live, call: Call) -> None:
        wish = live.doc.data.get("record")
        if wish is None:
            return
        tell = Tell(wish["url"], wish["method"], tuple(wish["events"]))
        try:
            start, is_trimmed = self._means.tapes.start, wish.get("is_trimmed", False)
            track = wish.get("track", "both")
            start(live, call, "OutboundAPI", wish["channels"], tell, is_trimmed=is_trimmed, track=track)
        except OSError as error:
            live.complain(13217, f"Record: {error}")

    # -- going out

    async def create(self, doc: Document) -> None:
        """Write down a call that is asked for, and make it."""
        live = Live(self._means.office, doc)
        if self._means.office.library.is_full:
            raise ApiError(20503, headers={"Retry-After": "5"})
        await live.begin()
        self.place(live)

    def place(self, live: Live) -> None:
        """Call whom the row names."""
        conversation = self.calls[live.sid] = Conversation(self._means, live)
        conversation.outward = Outward(f"api:{live.account}", lambda: live.enter("ringing"))
        self._means.office.spawn(self._outgoing(conversation))

    async def _outgoing(self, conversation: Conversation) -> None:
        live, data = conversation.live, conversation.live.doc.data
        try:
            target = await self._means.target(live.account, *data["callee"])
            call = await self._means.apps.call(
                target.to,
                app=APP,
                caller=Identity(data.get("caller_id") or live.doc.source),
                timeout=data["timeout"],
                headers=target.headers,
                credentials=self._credentials(live),
                outward=conversation.outward,
            )
        except NotAnswered as error:
            self._end(live, _status(error, conversation), error.status)
            return
        except (ApiError, ValueError) as error:
            code, text = (error.code, error.message) if isinstance(error, ApiError) else (20500, str(error))
            live.complain(code, text)
            self._end(live, "failed", 500)
            return
        finally:
            self.calls.pop(live.sid, None)
        live.enter("in-progress")
        conversation.call = call
        self.calls[live.sid] = conversation
        self._means.apps.run(lambda call: self._limited(conversation, call), call)

    def _credentials(self, live: Live) -> Credentials | None:
        """What the call may prove itself with; ValueError: it was sealed with another key."""
        login = live.doc.data.get("login")
        if login is None:
            return None
        username, sealed = login
        return Credentials(username, self._means.office.accounts.vault.open(sealed, live.account))

    async def _limited(self, conversation: Conversation, call: Call) -> None:
        """The documents of a call that we made, for as long as it may last."""
        data = conversation.live.doc.data
        try:
            async with asyncio.timeout(data["time_limit"]):
                await self._converse(conversation, call, Place(**data["place"]), data.get("keys", ""))
        except TimeoutError:
            await call.hang_up()


def _status(error: NotAnswered, conversation: Conversation) -> str:
    """How a call ended that was never answered: by whoever asked for it, or by itself."""
    outward = conversation.outward
    return "canceled" if outward is not None and outward.is_given_up else status_of(error.status)
