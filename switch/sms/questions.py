"""What an operator asks about messages, over the control socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from switchroom.switch.numbering import clean_number
from switchroom.switch.store.sms import Filter, Orphan, Row

from .handlers import RefusedError
from .interfaces import Refusal, Standing, State, Submission
from .routing import named
from .stored import submission_of
from .texts import text_of

if TYPE_CHECKING:
    from .room import MessageRoom

_DEAD = (State.UNDELIVERABLE, State.EXPIRED, State.REJECTED)
_MAX_ROWS = 10_000


class Questions:
    """The answers, as JSON has them; LookupError says what is not there."""

    def __init__(self, room: MessageRoom) -> None:
        self._room = room

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """By the name of the question."""
        asked: dict[str, Callable[..., Any]] = {
            "messages": self.messages,
            "message": self.message,
            "sms.send": self.send,
            "sms.redact": self.redact,
            "sms.requeue": self.requeue,
            "sms.cancel": self.cancel,
            "sms.receipts": self.receipts,
            "sms.dead": self.dead,
            "sms.ways": self.ways,
            "sms.credit": self.credit,
            "sms.optouts": self.optouts,
            "smpp.binds": self.smpp_binds,
            "modems": self.modems,
            "modems.ussd": self.ussd,
        }
        return {name: partial(ask) for name, ask in asked.items()}  # which can be marked, as methods cannot

    def smpp_binds(self) -> list[dict[str, object]]:
        """Every bind of customers, and every one of ours at carriers, up or not."""
        return [] if self._room.smpp is None else self._room.smpp.binds()

    def modems(self) -> list[dict[str, object]]:
        """Every modem, whether it is there or not."""
        return [] if self._room.modems is None else self._room.modems.rows()

    async def ussd(self, modem: str, code: str) -> dict[str, object]:
        """What the network of a modem says to a code."""
        if self._room.modems is None:
            raise LookupError(f"modem: {modem}: there is no such modem")
        return await self._room.modems.ask_network(modem, code)

    async def messages(
        self,
        inlet: str = "",
        outlet: str = "",
        number: str = "",
        state: str = "",
        since: float = 0.0,
        after: int = 0,
        limit: int = 20,
    ) -> list[dict[str, object]]:
        """The latest messages that fit, the oldest of them first."""
        states = (state_named(state),) if state else ()
        wanted = Filter(inlet, outlet, number, states, since, after=after, limit=min(limit, _MAX_ROWS))
        return [_shown(row) for row in reversed(await self._room.store.find(wanted))]

    async def message(self, id: int) -> dict[str, object]:
        """All that is known of one."""
        row: Row | None = await self._room.store.read("message", id)
        if row is None:
            raise LookupError(f"message: {id}: there is no such message")
        history = await self._room.store.read("history", id)
        submission = submission_of(row)
        text = None if row.is_redacted else text_of(submission)
        return {
            **_shown(row),
            "expires": _time(row.expires_at),
            "route": row.route,
            "coding": "text" if row.coding < 0 else row.coding,
            "text": "(redacted)" if row.is_redacted else text,
            "octets": None if row.is_redacted or text is not None else row.body.hex(),
            "receipts_asked": row.wish,
            "priority": row.priority,
            "history": [
                {"at": _time(at), "state": State(state).name.lower(), "outlet": outlet, "note": note}
                for at, state, outlet, note in [(row.accepted_at, _first(history, row), "", ""), *history]
            ],
        }

    async def send(
        self,
        text: str,
        to: str,
        source: str = "",
        inlet: str = "app",
        wish: int = 1,
        delay: float = 0.0,
        validity: float = 0.0,
        priority: int = 0,
        message_class: int = -1,
        protocol_id: int = 0,
    ) -> dict[str, object]:
        """Send a text, and say what it became."""
        room = self._room
        starts_at = room.centre.book.posix(room.clock.now()) + delay
        submission = Submission(
            inlet,
            named(source),
            named(to),
            text.encode("utf-8", "replace"),
            wish=wish,
            schedule_at=starts_at if delay else 0.0,
            expires_at=starts_at + validity if validity else 0.0,
            priority=priority,
            message_class=message_class,
            protocol_id=protocol_id,
        )
        try:
            return {"id": await room.sender.submit(submission)}
        except RefusedError as error:
            raise LookupError(f"refused: {error}") from None

    async def redact(self, id: int) -> dict[str, object]:
        """Forget what a message says."""
        return await self._order("redact", id, "")

    async def cancel(self, id: int) -> dict[str, object]:
        """Take a message back that waits."""
        return await self._order("cancel", id, "")

    async def requeue(self, id: int = 0, outlet: str = "", limit: int = 1000) -> dict[str, object]:
        """Try again what was given up: one message, or those of a way."""
        if id:
            return await self._order("requeue", id)
        rows = await self._room.store.find(Filter(outlet=outlet, states=_DEAD, limit=limit))
        count = 0
        for row in rows:
            try:
                await self._order("requeue", row.id)
            except LookupError:
                continue
            count += 1
        return {"requeued": count}

    async def _order(self, what: str, *values: Any) -> dict[str, object]:
        room = self._room
        answer: asyncio.Future[Standing | Refusal] = asyncio.get_running_loop().create_future()

        def answered(_: Any, result: Any, now: float) -> None:
            if not answer.done():
                answer.set_result(result)

        getattr(room.centre, what)(*values, room.clock.now(), answered)
        result = await answer
        if isinstance(result, Refusal):
            raise LookupError(f"message: {values[0]}: {result.text or result.word}")
        return {"id": result.id, "state": result.state.name.lower()}

    async def dead(self, limit: int = 20) -> list[dict[str, object]]:
        """What was given up, the latest last."""
        rows = await self._room.store.find(Filter(states=_DEAD, limit=min(limit, _MAX_ROWS)))
        return [_shown(row) for row in reversed(rows)]

    async def receipts(self, limit: int = 20) -> list[dict[str, object]]:
        """Receipts that matched nothing, and why."""
        found: list[Orphan] = await self._room.store.read("orphans", 0.0, min(limit, _MAX_ROWS))
        return [
            {
                "at": _time(orphan.at),
                "outlet": orphan.outlet,
                "id": receipt["remote_id"],
                "state": State(receipt["state"]).name.lower(),
                "from": receipt["source"],
                "reason": orphan.reason,
                "text": receipt["text"],
            }
            for orphan in reversed(found)
            for receipt in [json.loads(orphan.detail)]
        ]

    def ways(self) -> list[dict[str, object]]:
        """The ways out, and what waits for each."""
        centre, now = self._room.centre, self._room.clock.now()
        there = {str(row["outlet"]): row for row in centre.ways.rows(now)}
        for lane in centre.lanes:
            for way in lane.ways:
                there.setdefault(way, {"outlet": way, "room": None, "ready": 0})
        return [
            {**row, "waiting": sum(lane.count for lane in centre.lanes.of(name))}
            for name, row in sorted(there.items())
        ]

    def credit(self, inlet: str, add: float = 0.0) -> dict[str, object]:
        """What an inlet may spend, after something was added."""
        centre = self._room.centre
        amount = centre.rules.add_credit(inlet, float(add))
        self._room.store.wake()
        return {"inlet": inlet, "credit": amount}

    def optouts(self, sender: str = "", add: str = "", remove: str = "") -> list[dict[str, object]]:
        """Who said STOP to whom, after a receiver was added to or removed from a sender's list."""
        opt_outs = self._room.centre.rules.opt_outs
        for number, has_stopped in ((add, True), (remove, False)):
            if number:
                normal = self._room.centre.fates.routes.normal
                ends = [normal(named(clean_number(end))).number for end in (sender, number)]
                opt_outs.change(*ends, has_stopped=has_stopped)
                self._room.store.wake()
        return opt_outs.rows(sender)


def state_named(name: str) -> State:
    """The state of this name; LookupError says which there are."""
    try:
        return State[name.upper()]
    except KeyError:
        raise LookupError(
            f"state: {name}: must be one of {', '.join(state.name.lower() for state in State)}"
        ) from None


def _first(history: list[Any], row: Row) -> int:
    """The state that a message began in."""
    if submission_of(row).schedule_at > row.accepted_at:
        return State.SCHEDULED
    return State.QUEUED if history else row.state


def _shown(row: Row) -> dict[str, object]:
    return {
        "id": row.id,
        "at": _time(row.accepted_at),
        "inlet": row.inlet,
        "from": row.source,
        "to": row.destination,
        "state": State(row.state).name.lower(),
        "outlet": row.outlet,
        "changed": _time(row.changed_at),
        "parts": row.parts,
        "attempts": row.attempts,
        "reason": row.reason,
    }


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
