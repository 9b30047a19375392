"""``/Messages``: send, schedule and cancel, list, fetch, redact, delete, feedback and media."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from mimetypes import guess_type
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from switchroom.protocols import gsm
from switchroom.switch.store.documents import Document, Query

from ..front.operation import V2010, Answer, Ask, Elsewhere, Operation
from ..office import Shelf, account_uri
from ..resources.applications import APPLICATION
from ..wire import params
from ..wire.dates import rfc2822
from ..wire.errors import ApiError
from ..wire.paging import spans
from ..wire.sids import new_sid
from .optouts import ANSWERS
from .render import MESSAGE, event, show
from .retention import MEDIA
from .senders import letters_url
from .statuses import FINAL, segments_of

if TYPE_CHECKING:
    from ..office import Office
    from .outbox import Outbox
    from .retention import Retention
    from .senders import Senders

_MAX_BODY = 1600
_MAX_MEDIA = 10
_SOONEST, _LATEST = 15 * 60, 35 * 86400
_MAX_VALIDITY = 36000
_DAY = 86400
_ALL = 100_000
_URL = "%:/?#[]@!$&'()*+,;=~"  # what an address is made of, RFC 3986 §2

_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_CREATE = (
    params.text("To", code=21604, is_required=True, max_size=256),
    params.text("From", code=21212, max_size=256),
    params.text("MessagingServiceSid", max_size=34),
    params.text("Body", code=21617, max_size=16384),
    params.url("MediaUrl", is_list=True, code=21620),
    params.url("StatusCallback", code=21609),
    params.text("ApplicationSid", max_size=34),
    params.count("ValidityPeriod", 1, _MAX_VALIDITY, code=21624),
    params.choice("ScheduleType", "fixed"),
    params.moment("SendAt", code=35114),
    params.choice("ContentRetention", "retain", "discard"),
    params.choice("AddressRetention", "retain", "obfuscate"),
    params.flag("SmartEncoded"),
    params.flag("ProvideFeedback"),
    params.flag("ForceDelivery"),
    params.flag("ShortenUrls"),
    params.flag("SendAsMms"),
    params.text("MaxPrice", max_size=32),
    params.count("Attempt", 1, 100),
    params.text("PersistentAction", is_list=True),
    params.choice("TrafficType", "free"),
    params.choice("RiskCheck", "enable", "disable"),
    params.text("FallbackFrom", max_size=256),
    params.text("ContentSid", max_size=34),
    params.document("ContentVariables"),
)
_LIST = (
    params.text("To", max_size=64),
    params.text("From", max_size=64),
    params.moment("DateSent", is_range=True),
    *_PAGE,
)
_UPDATE = (params.text("Body", max_size=16384), params.choice("Status", "canceled"))


class MessageResources:
    """Messages of accounts."""

    def __init__(self, office: Office, outbox: Outbox, senders: Senders, retention: Retention) -> None:
        self._office, self._outbox, self._senders = office, outbox, senders
        self._retention = retention
        self._applications = Shelf(office, APPLICATION, "AP")
        self.shelf = Shelf(office, MESSAGE, "")
        self._media = Shelf(office, MEDIA, "ME")
        self._sent_today: dict[str, int] = {}
        self._day = 0

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, read, write = V2010 + "/Messages", "messages:read", "messages:write"
        one = f"{base}/{{Sid}}"
        yield Operation(
            "POST", f"{base}.json", self.create, _CREATE, write, 201, summary="Send", is_audited=False
        )
        yield Operation("GET", f"{base}.json", self.list_all, _LIST, read, summary="List messages")
        yield Operation("GET", f"{one}.json", self.fetch, (), read, summary="Fetch a message")
        yield Operation("POST", f"{one}.json", self.update, _UPDATE, write, summary="Redact or cancel")
        yield Operation("DELETE", f"{one}.json", self.delete, (), write, summary="Delete a message")
        outcome = (params.choice("Outcome", "confirmed", "unconfirmed"),)
        yield Operation(
            *("POST", f"{one}/Feedback.json", self.feedback, outcome, write),
            status=201,
            summary="Say whether the receiver acted on it",
        )
        created = (params.moment("DateCreated", is_range=True), *_PAGE)
        media = f"{one}/Media"
        yield Operation("GET", f"{media}.json", self.list_media, created, read, summary="List media")
        yield Operation("GET", f"{media}/{{MediaSid}}.json", self.fetch_media, (), read, summary="Fetch one")
        yield Operation(
            "DELETE", f"{media}/{{MediaSid}}.json", self.delete_media, (), write, summary="Delete one"
        )

    # -- sending

    async def create(self, ask: Ask) -> Answer:
        """A message: durable before it is answered, then it is on its way."""
        if self._outbox.centre is None:
            raise ApiError(20503, "This switch has no message centre")
        doc = await self.send(ask.account, ask.found)
        return show(doc)

    async def send(
        self,
        account: str,
        given: dict[str, Any],
        direction: str = "outbound-api",
        *,
        is_reply: bool = False,
    ) -> Document:
        """Check a message, write it down and hand it over; the answer to STOP goes to who said it."""
        to = self._senders.check_target(account, given["To"])
        service, sender = self._sender(account, given, to)
        if not is_reply or given.get("Body") not in ANSWERS:
            self._senders.check_opt_out(sender, service.sid if service else "", to)
        body, media = _content(given)
        send_at = _send_at(given, service, time.time())
        self._count(account)
        data: dict[str, Any] = {"body": body, "direction": direction}
        text = _with_media(gsm.transliterate(body).text if _is_smart(given, service) else body, media)
        if text != body:
            data["text"] = text  # as it goes out
        data["segments"] = segments_of(text)
        if service is not None:
            data["service"] = service.sid
        if url := self._callback(account, given, service):
            data["status_callback"] = url
        if send_at:
            data["send_at"] = send_at
        if validity := given.get("ValidityPeriod") or (service.data["validity_period"] if service else 0):
            data["validity"] = validity
        if given.get("ContentRetention") == "discard":
            data["retention"] = "discard"
        if given.get("AddressRetention") == "obfuscate":
            data["obfuscate"] = True
        if media:
            data["media"] = media
        state = "scheduled" if send_at else ("accepted" if service is not None else "queued")
        sid = new_sid("MM" if media else "SM")
        doc = self.shelf.new(account, data, sid=sid, state=state, source=sender, target=to)
        attached = [self._media.new(account, {"url": url}, parent=sid, at=doc.created_at) for url in media]
        await self._office.write([doc, *attached], events=[event(doc)])
        self._outbox.submit(doc)
        return doc

    async def answer(
        self,
        received: Document,
        body: str,
        *,
        to: str | None = None,
        sender: str | None = None,
        media: list[str] | None = None,
        callback: str = "",
    ) -> Document:
        """Answer a message that came in, from the number that it came to."""
        given: dict[str, Any] = {
            "To": to or received.source,
            "From": sender or received.target,
            "Body": body[:_MAX_BODY],
            "MediaUrl": media or [],
        }
        if callback:
            given["StatusCallback"] = callback
        if received.data.get("service"):
            given["MessagingServiceSid"] = received.data["service"]
        return await self.send(received.account, given, "outbound-reply", is_reply=True)

    def _sender(self, account: str, given: dict[str, Any], to: str) -> tuple[Document | None, str]:
        sid, sender = given.get("MessagingServiceSid"), given.get("From")
        if not sid and sender and sender.startswith("MG"):
            sid, sender = sender, None
        if not sid and not sender:
            raise ApiError(21603)
        service = self._senders.service(account, sid) if sid else None
        if sender:
            return service, self._senders.check_sender(account, sender, to)
        assert service is not None
        return service, self._senders.choose(service, to)

    def _callback(self, account: str, given: dict[str, Any], service: Document | None) -> str:
        if sid := given.get("ApplicationSid"):
            application = self._applications.find(account, sid)
            if application is None:
                raise ApiError(21218, "ApplicationSid: there is no such application")
            url = application.data["message_status_callback"] or application.data["sms_status_callback"]
            if url:
                return str(url)
        return letters_url(service, given)

    def _count(self, account: str) -> None:
        """A stolen key must not send for ever."""
        limit = self._office.config.max_daily_messages
        if not limit:
            return
        now = time.time()
        day = int(now // _DAY)
        if day != self._day:
            self._sent_today, self._day = {}, day
        if account not in self._sent_today:
            since = {"created_at": float(day * _DAY)}
            query = Query(MESSAGE, account, since=since)
            self._sent_today[account] = self._office.library.count(query)
        if self._sent_today[account] >= limit:
            self._office.audit.alert(account, "daily messages", limit=limit)
            raise ApiError(63038, f"The account has sent its {limit} messages of today", status=429)
        self._sent_today[account] += 1

    # -- reading and changing

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account, newest first."""
        equal = {}
        for name, column in (("To", "target"), ("From", "source")):
            if ask[name]:
                equal[column] = ask[name]
        since, until = spans(ask.found, "DateSent")
        more: dict[str, Any] = {"equal": equal, "since": {}, "until": {}}
        if since is not None:
            more["since"]["at"] = since
        if until is not None:
            more["until"]["at"] = until
            more["since"].setdefault("at", 1.0)  # what was not sent was sent at no time
        return await self.shelf.list_first(ask, "messages", show, **more)

    async def fetch(self, ask: Ask) -> Answer:
        """One message."""
        return show(self.shelf.take(ask))

    async def update(self, ask: Ask) -> Answer:
        """An empty body takes the text away; ``Status=canceled`` takes a scheduled message back."""
        doc = self.shelf.take(ask)
        if ask["Status"] == "canceled":
            return show(await self._cancel(doc))
        if "Body" not in ask.found:
            raise ApiError(20001, "Body or Status is required")
        if ask["Body"]:
            raise ApiError(20422, "Body: must be empty: a text can be taken away, not changed")
        _must_be_over(doc)
        rows = self._retention.forget(doc, ask.now)
        await self._office.write(rows)
        self._outbox.redact(doc)
        return show(rows[0])

    async def _cancel(self, doc: Document) -> Document:
        if doc.state == "canceled":
            return doc
        if doc.state != "scheduled" or not await self._outbox.cancel(doc):
            raise ApiError(30409, "This message cannot be cancelled any more", status=409)
        latest = self._office.library.get(MESSAGE, doc.sid, doc.account) or doc
        if latest.state == "canceled":
            return latest  # its notice was faster
        changed = latest.change(time.time(), state="canceled")
        letters = self._outbox.letters(changed)
        await self._office.write([changed, *letters], events=[event(changed)])
        self._office.courier.post_all(letters)
        return changed

    async def cancel_all(self, account: str) -> None:
        """Take back what waits for its time."""
        query = Query(MESSAGE, account, equal={"state": "scheduled"}, limit=_ALL)
        for doc in self._office.library.select(query):
            with suppress(ApiError):  # it was on its way already
                await self._cancel(doc)

    async def delete(self, ask: Ask) -> Answer:
        """It is gone, with its media."""
        doc = self.shelf.take(ask)
        _must_be_over(doc)
        media = self._office.library.select(Query(MEDIA, doc.account, parent=doc.sid, limit=_MAX_MEDIA))
        await self._office.write(self._retention.letters(doc, ask.now), [doc, *media])
        self._outbox.redact(doc)
        return None

    async def feedback(self, ask: Ask) -> Answer:
        """Whether the receiver did what the message was for."""
        doc = self.shelf.take(ask)
        outcome = ask["Outcome"] or "confirmed"
        changed = doc.change(ask.now, data={"feedback": outcome})
        await self._office.write(
            [changed], events=[(doc.account, "message.feedback", doc.sid, {"outcome": outcome})]
        )
        return {
            "account_sid": doc.account,
            "message_sid": doc.sid,
            "outcome": outcome,
            "date_created": rfc2822(ask.now),
            "date_updated": rfc2822(ask.now),
            "uri": account_uri(doc.account, "Messages", doc.sid, "Feedback"),
        }

    # -- media

    async def list_media(self, ask: Ask) -> Answer:
        """What was attached."""
        doc = self.shelf.take(ask)
        since, until = spans(ask.found, "DateCreated")
        more: dict[str, Any] = {"parent": doc.sid}
        if since is not None:
            more["since"] = {"created_at": since}
        if until is not None:
            more["until"] = {"created_at": until}
        return await self._media.list_first(ask, "media_list", _show_media, **more)

    async def fetch_media(self, ask: Ask) -> Answer:
        """One attachment: what is known of it, or without ``.json`` the thing itself."""
        doc = self._media.take(ask, "MediaSid", self.shelf.take(ask).sid)
        return (
            _show_media(doc) if ask.target.endswith(".json") else Elsewhere(quote(doc.data["url"], safe=_URL))
        )

    async def delete_media(self, ask: Ask) -> Answer:
        """Forget one."""
        await self._office.write(drops=[self._media.take(ask, "MediaSid", self.shelf.take(ask).sid)])
        return None


def _show_media(doc: Document) -> dict[str, Any]:
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "parent_sid": doc.parent,
        "content_type": guess_type(urlsplit(doc.data["url"]).path)[0] or "application/octet-stream",
        "date_created": rfc2822(doc.created_at),
        "date_updated": rfc2822(doc.updated_at),
        "uri": account_uri(doc.account, "Messages", doc.parent, "Media", doc.sid),
    }


def _must_be_over(doc: Document) -> None:
    if doc.state not in FINAL:
        raise ApiError(20009, "The message is still on its way", status=409)


def _content(given: dict[str, Any]) -> tuple[str, list[str]]:
    body, media = given.get("Body") or "", [url for url in given.get("MediaUrl") or [] if url]
    if given.get("ContentSid"):
        raise ApiError(21655, "ContentSid: this switch has no content templates")
    if not body and not media:
        raise ApiError(21602, "Body is required")
    if len(body) > _MAX_BODY:
        raise ApiError(21617, f"Body: is longer than {_MAX_BODY} characters")
    if len(media) > _MAX_MEDIA:
        raise ApiError(21623, f"MediaUrl: more than {_MAX_MEDIA} of them")
    return body, media


def _with_media(body: str, media: list[str]) -> str:
    """No way of ours carries pictures: their addresses go along."""
    return "\n".join([*([body] if body else []), *media])


def _is_smart(given: dict[str, Any], service: Document | None) -> bool:
    smart = given.get("SmartEncoded")
    return bool(service.data["smart_encoding"] if smart is None and service is not None else smart)


def _send_at(given: dict[str, Any], service: Document | None, now: float) -> float:
    """When a message is to go; 0: at once."""
    if given.get("ScheduleType") is None and given.get("SendAt") is None:
        return 0.0
    if given.get("ScheduleType") is None or not given.get("SendAt"):
        raise ApiError(35111, "ScheduleType and SendAt are needed together")
    if service is None:
        raise ApiError(35118, "MessagingServiceSid is needed to schedule a message")
    at, _ = given["SendAt"]
    if not now + _SOONEST <= at <= now + _LATEST:
        raise ApiError(35114, "SendAt: must be from 15 minutes to 35 days from now")
    return float(at)
