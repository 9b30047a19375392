"""Python handlers as a way out: ``@switch.on_message("+4930*")`` gets each message, and may answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from switchroom.switch.config.patterns import NumberPattern, match_any, read_patterns

from .centre.centre import Centre
from .interfaces import TEXT, Address, Fault, Form, Outcome, Part, Refusal, Submission
from .routing import named

_RUNNING = 1000  # handlers at once; further messages wait

Handler = Callable[["Incoming"], Awaitable[None]]


class RefusedError(Exception):
    """A message was not taken; says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text or refusal.word)
        self.refusal = refusal


class Incoming:
    """A message for a handler. When the handler returns it is delivered; an exception is tried again."""

    def __init__(self, part: Part, sender: Sender) -> None:
        message = part.message
        self.id = message.id
        self.source, self.destination = message.source.number, message.destination.number
        self.inlet = message.submission.inlet
        self.is_text = part.coding == TEXT
        self.body = part.body
        self._sender = sender

    @property
    def text(self) -> str:
        """What it says."""
        return self.body.decode("utf-8", "replace")

    async def reply(self, text: str) -> int:
        """Send a text back; gives its id when it is on the disk."""
        return await self._sender(text, self.source, self.destination)


class Sender:
    """Sends messages for a program: each call returns when its message is on the disk."""

    def __init__(self, centre: Centre, now: Callable[[], float]) -> None:
        self._centre, self._now = centre, now

    async def __call__(self, text: str, to: str, source: str = "", inlet: str = "app", wish: int = 0) -> int:
        """Send a text; RefusedError says why not."""
        number = Address(to, 1, 1) if to.startswith("+") else Address(to)
        body = text.encode("utf-8", "replace")
        return await self.submit(Submission(inlet, named(source), number, body, wish=wish))

    async def submit(self, submission: Submission) -> int:
        """The same with whatever else there is to say about a message."""
        answer: asyncio.Future[int | Refusal] = asyncio.get_running_loop().create_future()

        def done(_: Sequence[Submission], results: Sequence[int | Refusal], now: float) -> None:
            if not answer.done():
                answer.set_result(results[0])

        self._centre.submit([submission], self._now(), done)
        result = await answer
        if isinstance(result, Refusal):
            raise RefusedError(result)
        return result


class Handlers:
    """The outlet ``app``."""

    name = "app"
    form = Form(is_whole=True, is_text=True)
    id_notation = "same"

    def __init__(self) -> None:
        self._handlers: list[tuple[tuple[NumberPattern, ...], Handler]] = []
        self._running: set[asyncio.Task[None]] = set()
        self._centre: Centre | None = None
        self._sender: Sender
        self._now: Callable[[], float]

    def __bool__(self) -> bool:
        return bool(self._handlers)

    def add(self, pattern: str, handler: Handler) -> None:
        """Messages for numbers that match go to this handler."""
        self._handlers.append((read_patterns(pattern), handler))

    def matches(self, number: str) -> bool:
        """Whether a handler takes the number."""
        return any(match_any(patterns, number) for patterns, _ in self._handlers)

    def start(self, centre: Centre, sender: Sender, now: Callable[[], float]) -> None:
        """Be there."""
        self._centre, self._sender, self._now = centre, sender, now
        centre.attach(outlet=self, now=now())

    async def stop(self) -> None:
        """What runs is cancelled; its messages are tried again after the next start."""
        self._centre = None
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def room(self, now: float) -> int:
        """How many may begin."""
        return _RUNNING - len(self._running) if self._handlers else 0

    def send(self, parts: Sequence[Part], now: float) -> None:
        """A task for each: it is a program's."""
        for part in parts:
            task = asyncio.get_running_loop().create_task(self._run(part))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, part: Part) -> None:
        number = part.message.submission.destination.number
        handler = next((h for patterns, h in self._handlers if match_any(patterns, number)), None)
        try:
            if handler is None:  # a route says app, and no handler wants the number
                outcome = Outcome(part, fault=Fault.ROUTE, text=f"no handler for {number}")
            else:
                await handler(Incoming(part, self._sender))
                outcome = Outcome(part, is_delivered=True)
        except Exception as error:  # noqa: BLE001 - whatever a program raises: its message is tried again
            outcome = Outcome(part, fault=Fault.TEMPORARY, text=f"the handler failed: {error!r:.200}")
            if self._centre is not None:
                self._centre.book.log.error(
                    "message.handler_failed", message=part.message.id, error=repr(error)
                )
        if self._centre is not None:
            self._centre.report(self.name, [outcome], self._now())
