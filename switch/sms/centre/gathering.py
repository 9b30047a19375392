"""Parts of long messages for those who want them whole: joined, whatever their order; nothing is dropped.

The parts are messages on the disk like any other; after a crash they come here again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from switchroom.protocols import gsm
from switchroom.switch.sms.book import Book
from switchroom.switch.sms.interfaces import TEXT, Form, Outcome, Part, State
from switchroom.switch.sms.stored import Stored
from switchroom.switch.sms.texts import joined_text, text_of


class Gathering:
    """Takes parts, gives what is to be sent: ``ready`` gets the way's name and one Part for all."""

    def __init__(
        self,
        book: Book,
        ready: Callable[[str, Part, float], None],
        finish: Callable[..., None],
        failed: Callable[[Stored, Outcome, float], None],
    ) -> None:
        self._book, self._ready, self._finish, self._failed = book, ready, finish, failed
        self._joiner = gsm.Joiner()
        self._forms: dict[str, Form] = {}

    def reconfigure(self, timeout: float, max_per_sender: int, max_messages: int) -> None:
        """Apply new limits."""
        self._joiner.config = replace(
            self._joiner.config,
            timeout=timeout,
            max_messages_per_key=max_per_sender,
            max_messages=max_messages,
        )

    def __len__(self) -> int:
        return len(self._joiner)

    def take(self, way: str, form: Form, message: Stored, now: float) -> None:
        """A part for this way; with the last one the whole goes."""
        s = message.submission
        self._forms[way] = form
        self._book.enter(message, State.GATHERING, now)
        # With the round: what was whole before and could not be sent is no copy of itself
        key = (way, s.inlet, s.source.number, s.destination.number, s.coding, message.rounds)
        message.rounds += 1
        message.joined = ()
        concat = gsm.Concatenation(s.concat.reference, s.concat.total, s.concat.number, True)
        fragment = gsm.Fragment(key, concat, s.body, message)
        if not self._joiner.receive_fragment(fragment, now):
            self._finish(message, State.SKIPPED, now, reason="a copy of a part that was there")
        self._give(now)

    def next_timer(self) -> float | None:
        """When something incomplete is to go."""
        return self._joiner.next_timer()

    def handle_timer(self, now: float) -> None:
        """What stayed incomplete goes as it is."""
        self._joiner.handle_timer(now)
        self._give(now)

    def _give(self, now: float) -> None:
        while (joined := self._joiner.next_event()) is not None:
            messages = [f.id for f in joined.fragments if isinstance(f.id, Stored)]
            first, *others = messages
            first.joined = tuple(others)
            for other in others:
                first.wish |= other.wish
            for message in messages:
                self._book.enter(message, State.SENDING, now)
            way = joined.key[0]  # type: ignore[index]
            self._book.store.pending.after(
                (self._on_written, (way, self._part(messages, joined, self._forms[way])))
            )

    def _part(self, messages: list[Stored], joined: gsm.Joined, form: Form) -> Part:
        first = messages[0]
        s = first.submission
        is_octets = not form.is_text and s.coding != TEXT and joined.is_whole
        if is_octets or text_of(s) is None:
            return Part(first, b"".join(m.submission.body for m in messages), s.coding, s.udh)
        text = joined_text(messages, joined.total) or ""
        return Part(first, text.encode("utf-8", "replace"), TEXT)

    def _on_written(self, _: bool, ready: tuple[str, Part], now: float) -> None:
        self._ready(*ready, now)
