"""Between REST and the message centre: messages go in, in batches, and what becomes of them comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from switchroom.switch.sms.interfaces import (
    TEXT,
    Address,
    Notice,
    Refusal,
    State,
    Submission,
    Wish,
)
from switchroom.switch.store.documents import Document, Query

from ..webhooks.courier import Letter
from .render import MESSAGE, event, status_params
from .statuses import FINAL, WAITS, error_of, may_follow, refusal_code, status_of

if TYPE_CHECKING:
    from switchroom.switch.sms.interfaces import Centre

    from ..office import Office

_RETRY_INTERVAL = 1.0
_MAX_START = 1_000_000
_WISH = int(Wish.FINAL | Wish.EACH_STATE)
_NO_TEXT = {"body": "", "text": ""}
_ALPHANUMERIC, _INTERNATIONAL, _ISDN = 5, 1, 1

log = structlog.get_logger("switchroom.api")


class _Inlet:
    """An account as the centre sees it."""

    def __init__(self, outbox: Outbox, account: str) -> None:
        self._outbox, self.account = outbox, account
        self.name = f"api:{account}"

    def notice_room(self, now: float) -> int:
        """As much as the disk keeps up with."""
        return 0 if self._outbox.is_full else 1000

    def notify(self, notices: Sequence[Notice], now: float) -> None:
        """States that messages entered."""
        self._outbox.hear(self, notices)


class Outbox:
    """Hands messages over, and writes down what the centre says of them."""

    def __init__(self, office: Office, centre: Centre | None, now: Callable[[], float]) -> None:
        """``now``: the clock that the centre goes by."""
        self._office, self.centre, self._now = office, centre, now
        self._inlets: dict[str, _Inlet] = {}
        self._batch: list[Submission] = []
        self._again: list[Submission] = []
        self._timer: asyncio.TimerHandle | None = None
        self.submitted_count = 0

    @property
    def is_full(self) -> bool:
        """Whether the disk does not keep up."""
        return self._office.library.is_full

    def start(self) -> None:
        """Hand over what a crash kept from the centre: what it has already, it knows by its key."""
        if self.centre is None:
            return
        for state in ("accepted", "queued", "scheduled"):
            query = Query(MESSAGE, None, equal={"state": state}, is_ascending=True, limit=_MAX_START)
            for doc in self._office.library.select(query):
                self.submit(doc)
        for state in ("sending", "sent"):
            query = Query(MESSAGE, None, equal={"state": state}, is_ascending=True, limit=_MAX_START)
            for account in {doc.account for doc in self._office.library.select(query)}:
                self._attach(account)

    def stop(self) -> None:
        """Hear no more: notices wait in the centre."""
        if self._timer is not None:
            self._timer.cancel()
        for name in self._inlets:
            if self.centre is not None:
                self.centre.detach(inlet=name, now=self._now())
        self._inlets.clear()

    def submit(self, doc: Document) -> None:
        """Hand over a message that is durable here; all of one pass of the loop are one batch."""
        self._attach(doc.account)
        if not self._batch:
            asyncio.get_running_loop().call_soon(self._flush)
        self._batch.append(_submission(doc))

    def cancel(self, doc: Document) -> asyncio.Future[bool]:
        """Take back a message that waits for its time; whether that was not too late."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        id = doc.data.get("centre")
        if self.centre is None or id is None:
            done.set_result(False)
            return done

        def answered(context: Any, answer: Any, now: float) -> None:
            if not done.done():
                done.set_result(not isinstance(answer, Refusal))

        self.centre.cancel(id, f"api:{doc.account}", self._now(), answered)
        return done

    def redact(self, doc: Document) -> None:
        """Have the centre forget the body too."""
        id = doc.data.get("centre")
        if self.centre is not None and id is not None:
            self.centre.redact(id, f"api:{doc.account}", self._now(), lambda *_: None)

    # -- to the centre

    def _attach(self, account: str) -> None:
        if account not in self._inlets and self.centre is not None:
            inlet = self._inlets[account] = _Inlet(self, account)
            self.centre.attach(inlet=inlet, now=self._now())

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if self.centre is None:
            log.error("api.no_message_centre", messages=len(batch))
            return
        self.submitted_count += len(batch)
        self.centre.submit(batch, self._now(), self._on_taken)

    def _on_taken(self, batch: Sequence[Submission], results: Sequence[int | Refusal], now: float) -> None:
        puts: list[Document] = []
        letters: list[Document] = []
        events = []
        for submission, result in zip(batch, results, strict=True):
            doc = self._office.library.get(MESSAGE, submission.key, None)
            if doc is None:
                continue
            if isinstance(result, Refusal):
                if result.word in WAITS:
                    self._retry(submission)
                    continue
                code = refusal_code(result)
                doc = doc.change(
                    time.time(), state="failed", data={"error_code": code, "reason": result.text}
                )
                letters += self.letters(doc)
                events.append(event(doc))
            elif doc.state == "scheduled" or doc.data.get("retention") == "discard":
                doc = doc.change(doc.updated_at, data={"centre": result})  # to be found again by its id
            else:
                continue  # its first notice has the id
            puts.append(doc)
        self._write(puts, letters, events)

    def _retry(self, submission: Submission) -> None:
        self._again.append(submission)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_RETRY_INTERVAL, self._resubmit)

    def _resubmit(self) -> None:
        self._timer = None
        again, self._again = self._again, []
        if self.centre is not None and again:
            self.centre.submit(again, self._now(), self._on_taken)

    # -- from the centre

    def hear(self, inlet: _Inlet, notices: Sequence[Notice]) -> None:
        """Write down what happened; it is acknowledged when it is on the disk."""
        changed: dict[str, Document] = {}
        letters: list[Document] = []
        events = []
        for notice in notices:
            doc = changed.get(notice.key) or self._office.library.get(MESSAGE, notice.key, inlet.account)
            after = None if doc is None else self._advance(doc, notice)
            if after is not None:
                changed[after.sid] = after
                letters += self.letters(after)
                events.append(event(after))
        ids = [notice.id for notice in notices]
        if not changed:
            self._acknowledge(inlet, ids)
            return
        done = self._write(list(changed.values()), letters, events)
        done.add_done_callback(lambda future: self._heard(inlet, ids, future))

    def _heard(self, inlet: _Inlet, ids: list[int], future: asyncio.Future[None]) -> None:
        is_written = not future.cancelled() and future.exception() is None
        self._acknowledge(inlet, ids, is_heard=is_written)

    def _acknowledge(self, inlet: _Inlet, ids: list[int], *, is_heard: bool = True) -> None:
        if self.centre is not None:
            self.centre.noticed(inlet.name, ids, self._now(), is_heard=is_heard)

    def _advance(self, doc: Document, notice: Notice) -> Document | None:
        after = _advance(doc, notice)
        if after is not None and after.state in FINAL and not self._office.config.keep_texts:
            return after.change(after.updated_at, data=_NO_TEXT)
        return after

    # -- both

    def letters(self, doc: Document) -> list[Document]:
        """The callback of a message in its present state, not written yet."""
        url = doc.data.get("status_callback")
        if not url:
            return []
        letter = Letter(doc.account, doc.sid, "status", url, status_params(doc))
        return [self._office.courier.make(letter)]

    def _write(
        self, docs: list[Document], letters: list[Document], events: list[Any]
    ) -> asyncio.Future[None]:
        done = self._office.begin([*docs, *letters], events=events)
        if letters:
            done.add_done_callback(lambda future: self._post(letters, future))
        return done

    def _post(self, letters: list[Document], future: asyncio.Future[None]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._office.courier.post_all(letters)


def _submission(doc: Document) -> Submission:
    data = doc.data
    return Submission(
        inlet=f"api:{doc.account}",
        source=_address(doc.source),
        destination=_address(doc.target),
        body=data["text"].encode() if "text" in data else data["body"].encode(),
        coding=TEXT,
        wish=_WISH,
        schedule_at=data.get("send_at") or 0.0,
        expires_at=doc.created_at + data["validity"] if data.get("validity") else 0.0,
        key=doc.sid,
    )


def _address(number: str) -> Address:
    if number.startswith("+"):
        return Address(number, _INTERNATIONAL, _ISDN)
    return Address(number) if number.isdecimal() else Address(number, _ALPHANUMERIC)


def _advance(doc: Document, notice: Notice) -> Document | None:
    """The message after a notice; None: it says nothing new."""
    status = status_of(notice.state)
    if status == "sending" or not status or not may_follow(doc.state, status):
        return None
    if status == "undelivered" and doc.state in ("accepted", "queued", "scheduled"):
        status = "failed"  # it never left
    data: dict[str, Any] = {"centre": notice.message}
    code = error_of(notice.state, notice.error, doc.state)
    if code is not None:
        data |= {"error_code": code, "reason": notice.reason}
    if notice.state in (State.DELIVERED, State.EXPIRED, State.UNDELIVERABLE, State.REJECTED):
        data["done_at"] = notice.at
    if status in FINAL:
        data |= _forgotten(doc)
    at = doc.at or (notice.at if status in ("sent", "delivered") else 0.0)
    target = _obscure(doc.target) if status in FINAL and doc.data.get("obfuscate") else doc.target
    return doc.change(time.time(), state=status, data=data, at=at, target=target)


def _forgotten(doc: Document) -> dict[str, Any]:
    """What is taken away at the end when the sender asked for that."""
    return _NO_TEXT if doc.data.get("retention") == "discard" else {}


def _obscure(number: str) -> str:
    return number[:-4] + "XXXX" if len(number) > 6 else number
