"""Messages that come in for numbers of accounts: kept, told to their webhook, and answered with TwiML."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import structlog

from switchroom.switch.sms.interfaces import Fault, Form, Outcome, Part
from switchroom.switch.store.documents import Document

from ..office import Shelf
from ..resources.applications import APPLICATION
from ..twiml.document import TwimlError
from ..twiml.parse import Verb, parse_messaging
from ..webhooks.courier import Letter
from ..webhooks.fetch import FetchError, Reply, Request
from ..wire.errors import ApiError
from ..wire.sids import new_sid
from ..wire.urls import shown
from .optouts import answer_to, keyword_of
from .render import MESSAGE, event, inbound_params
from .statuses import segments_of

if TYPE_CHECKING:
    import asyncio

    from switchroom.switch.sms.interfaces import Centre

    from ..office import Office
    from ..resources.numbers import NumberResources
    from .optouts import OptOuts
    from .resource import MessageResources
    from .senders import Senders

NAME = "api"
_FORM = Form(is_whole=True, is_text=True)
_MAX_REDIRECTS = 10
_MAX_REPLIES = 10
_XML = ("text/xml", "application/xml", "text/html", "")

log = structlog.get_logger("switchroom.api")


@dataclass(frozen=True, slots=True)
class _Hook:
    """Where a message is told."""

    url: str
    method: str
    fallback_url: str
    fallback_method: str
    service: str = ""


class Inbox:
    """An outlet of the message centre: whoever has a number in the API gets what is sent to it."""

    def __init__(
        self,
        office: Office,
        numbers: NumberResources,
        senders: Senders,
        opt_outs: OptOuts,
        messages: MessageResources,
        now: Callable[[], float],
    ) -> None:
        self._office, self._numbers, self._senders = office, numbers, senders
        self._opt_outs, self._messages, self._now = opt_outs, messages, now
        self._applications = Shelf(office, APPLICATION, "AP")
        self._shelf = Shelf(office, MESSAGE, "SM")
        self.centre: Centre | None = None
        self.received_count = 0
        office.courier.on_done["message"] = self._on_answer

    # -- an outlet

    @property
    def name(self) -> str:
        """As routes name it."""
        return NAME

    @property
    def form(self) -> Form:
        """Whole texts."""
        return _FORM

    @property
    def id_notation(self) -> str:
        """There are no receipts."""
        return "same"

    def has(self, number: str) -> bool:
        """Whether an account has a number."""
        return self._numbers.owner(number) is not None

    def room(self, now: float) -> int:
        """As much as the disk keeps up with."""
        return 0 if self._office.library.is_full else 500

    def send(self, parts: Sequence[Part], now: float) -> None:
        """Messages for numbers of ours: each is delivered when it is on the disk."""
        taken: list[Part] = []
        puts: list[Document] = []
        drops: list[Document] = []
        letters: list[Document] = []
        events = []
        replies: list[tuple[Document, str]] = []
        refused = []
        for part in parts:
            number = self._numbers.owner(part.message.destination.number)
            if number is None:
                refused.append(Outcome(part, fault=Fault.ROUTE, text="no account has this number"))
                continue
            doc, hook = self._receive(part, number)
            keyword = keyword_of(doc.data["body"])
            if keyword:
                scope = doc.data.get("service") or doc.target
                more, fewer = self._opt_outs.change(doc.account, scope, doc.source, keyword)
                puts += more
                drops += fewer
                replies.append((doc, keyword))
            if hook is not None:
                letters.append(self._letter(doc, hook, keyword))
            puts.append(doc)
            events.append(event(doc))
            taken.append(part)
        if refused and self.centre is not None:
            self.centre.report(NAME, refused, now)
        if taken:
            self.received_count += len(taken)
            done = self._office.begin([*puts, *letters], drops, events)
            done.add_done_callback(lambda future: self._kept(future, taken, letters, replies))

    def _receive(self, part: Part, number: Document) -> tuple[Document, _Hook | None]:
        body = part.body.decode("utf-8", "replace")
        hook = self._hook(number)
        data: dict[str, Any] = {"body": body, "direction": "inbound", "segments": segments_of(body)}
        if hook is not None and hook.service:
            data["service"] = hook.service
        now = time.time()
        doc = self._shelf.new(
            number.account,
            data,
            sid=new_sid("SM"),
            state="received",
            source=part.message.source.number,
            target=str(number.name),
            at=now,
        )
        return doc, hook if hook is not None and hook.url else None

    def _kept(
        self,
        future: asyncio.Future[None],
        parts: list[Part],
        letters: list[Document],
        replies: list[tuple[Document, str]],
    ) -> None:
        is_kept = not future.cancelled() and future.exception() is None
        if self.centre is not None:
            fault = None if is_kept else Fault.TEMPORARY
            outcomes = [Outcome(part, fault=fault, is_delivered=is_kept) for part in parts]
            self.centre.report(NAME, outcomes, self._now())
        if is_kept:
            self._office.courier.post_all(letters)
            for doc, keyword in replies:
                self._office.spawn(self._answer_keyword(doc, keyword))

    async def _answer_keyword(self, doc: Document, keyword: str) -> None:
        if self._opt_outs.has(doc.data.get("service") or doc.target, doc.source) and keyword != "STOP":
            return
        await self._messages.answer(doc, answer_to(keyword))

    def _letter(self, doc: Document, hook: _Hook, keyword: str) -> Document:
        params = inbound_params(doc, keyword)
        talk = f"{doc.target}|{doc.source}"  # what two say to each other stays in its order
        letter = Letter(
            *(doc.account, talk, "message", hook.url, params, hook.method),
            fallback_url=hook.fallback_url,
            fallback_method=hook.fallback_method,
        )
        return self._office.courier.make(letter)

    def _hook(self, number: Document) -> _Hook | None:
        """The webhook of a number: its service's, its application's, or its own; none while suspended."""
        if not self._office.accounts.is_active(number.account):
            return None
        service = self._senders.service_of(number)
        if service is not None and not service.data["use_inbound_webhook_on_number"]:
            data = service.data
            urls = data["inbound_request_url"] or "", data["inbound_method"]
            return _Hook(*urls, data["fallback_url"] or "", data["fallback_method"], service.sid)
        source = number.data
        if number.data["sms_application_sid"]:
            application = self._applications.find(number.account, number.data["sms_application_sid"])
            source = application.data if application is not None else source
        urls = source["sms_url"] or "", source["sms_method"] or "POST"
        return _Hook(
            *urls,
            source["sms_fallback_url"] or "",
            source["sms_fallback_method"] or "POST",
            service.sid if service is not None else "",
        )

    # -- what the webhook answered

    async def _on_answer(self, letter: Document, reply: Reply | None) -> None:
        if reply is None:
            return  # the courier has said so
        sid = dict(letter.data["params"])["MessageSid"]
        doc = self._office.library.get(MESSAGE, sid, letter.account)
        if doc is None:
            return
        try:
            await self._carry_out(doc, letter, reply)
        except (TwimlError, FetchError) as error:
            await self._complain(doc, error.code, error.message)
        except ApiError as error:
            await self._complain(doc, error.code, error.message)

    async def _carry_out(self, doc: Document, letter: Document, reply: Reply) -> None:
        """Send what the document says; a Redirect asks for another one."""
        replies = 0
        for _ in range(_MAX_REDIRECTS):
            if not reply.body.strip():
                return
            kind = reply.content_type.partition(";")[0].strip().lower()
            if kind == "text/plain":
                await self._messages.answer(doc, reply.body.decode("utf-8", "replace"))
                return
            if kind not in _XML:
                raise TwimlError(12300, f"Content-Type {kind[:80]} is not TwiML")
            following: Verb | None = None
            for verb in parse_messaging(reply.body).verbs:
                if verb.name == "Redirect":
                    following = verb
                    break
                replies += 1
                if replies > _MAX_REPLIES:
                    raise TwimlError(14109, f"more than {_MAX_REPLIES} messages in one answer")
                await self._message(doc, verb, reply.url)
            if following is None:
                return
            url = urljoin(reply.url, following.text)
            request = Request(url, following["method"], [(n, v) for n, v in letter.data["params"]])
            token = self._office.accounts.token(doc.account)
            reply = await self._office.fetcher.fetch(request, token)
            if not 200 <= reply.status < 300:
                raise FetchError(11200, f"{shown(url)}: status {reply.status}")
        raise TwimlError(14106, f"more than {_MAX_REDIRECTS} documents for one message")

    async def _message(self, doc: Document, verb: Verb, base: str) -> None:
        bodies = [child.text for child in verb.children if child.name == "Body"]
        media = [urljoin(base, child.text) for child in verb.children if child.name == "Media"]
        callback = verb["action"] or verb["statusCallback"]
        await self._messages.answer(
            doc,
            "".join(bodies) or verb.text,
            to=verb["to"],
            sender=verb["from"],
            media=media,
            callback=urljoin(base, callback) if callback else "",
        )

    async def _complain(self, doc: Document, code: int, text: str) -> None:
        log.warning("api.twiml_refused", message=doc.sid, code=code, reason=text)
        data = {"code": code, "message": text, "resource": doc.sid}
        await self._office.write(events=[(doc.account, "alert.webhook", doc.sid, data)])
