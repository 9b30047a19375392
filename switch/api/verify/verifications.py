"""Verifications: a code goes out, and whoever knows it has the number."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document, Query

from ..front.operation import Answer, Ask, Operation
from ..office import Shelf
from ..resources.lookups import line_type
from ..resources.numbers import NUMBER
from ..wire import params
from ..wire.dates import iso
from ..wire.errors import ApiError, not_found
from ..wire.params import is_e164
from .attempts import Attempts
from .caller import Caller, Reading
from .guard import Guard
from .words import words_of

if TYPE_CHECKING:
    from ..front.vault import Vault
    from ..messages.resource import MessageResources
    from ..office import Office
    from .services import VerifyServices

VERIFICATION = "verification"
_LIFETIME = 600.0
_MAX_SENDS = _MAX_CHECKS = 5
_GIVEN = (
    params.text("To", is_required=True, code=60200, max_size=64),
    params.text("Channel", is_required=True, code=60200, max_size=32),
    params.text("CustomFriendlyName", max_size=30),
    params.text("CustomCode", max_size=10),
    params.text("Locale", max_size=10),
    params.text("Amount", max_size=64),
    params.text("Payee", max_size=64),
    params.document("RateLimits", code=60200),
    params.choice("RiskCheck", "enable", "disable"),
    params.text("AppHash", max_size=11),
    params.text("TemplateSid", max_size=34),
)
_CHECK = (
    params.text("Code", max_size=10),
    params.text("To", max_size=64),
    params.text("VerificationSid", max_size=34),
    params.text("Amount", max_size=64),
    params.text("Payee", max_size=64),
)
_CHANNELS = ("sms", "call")
_RESUMABLE = 60.0  # seconds after which a call that was promised before a crash is not made any more


class Verifications:
    """``/v2/Services/…/Verifications`` and ``/VerificationCheck``."""

    def __init__(
        self,
        office: Office,
        services: VerifyServices,
        messages: MessageResources,
        vault: Vault,
        caller: Caller,
        attempts: Attempts,
    ) -> None:
        self._office, self._services, self._messages, self._vault = office, services, messages, vault
        self._caller, self._attempts = caller, attempts
        self._shelf = Shelf(office, VERIFICATION, "VE")
        self._guard = Guard(office.config.verify_rules)

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base = "/v2/Services/{Sid}"
        one = f"{base}/Verifications/{{Which}}"
        status = params.choice("Status", "canceled", "approved", is_required=True, code=60200)
        rows = (
            ("POST", f"{base}/Verifications", self.create, _GIVEN, 201, "Send a code"),
            ("GET", one, self.fetch, (), 200, "Fetch a verification"),
            ("POST", one, self.update, (status,), 200, "Cancel or approve"),
            ("POST", f"{base}/VerificationCheck", self.check, _CHECK, 200, "Check a code"),
        )
        for method, path, handler, given, code, summary in rows:
            scope = "verify:read" if method == "GET" else "verify:write"
            yield Operation(method, path, handler, given, scope, code, "verify", summary, is_audited=False)

    async def create(self, ask: Ask) -> Answer:
        """Send a code; while one is valid the same is sent again."""
        service = self._services.take(ask)
        to, channel = ask["To"].strip(), ask["Channel"].lower()
        if channel not in _CHANNELS:
            raise ApiError(
                60223, f"Channel: {channel[:16]} is not one that this switch has: sms and call are"
            )
        if not is_e164(to):
            raise ApiError(60200, "To: is not a number: it begins with + and the code of a country")
        if channel == "call":
            await self._caller.check(ask.account, to)
        self._allow(ask, service, to)
        doc = self._pending(service, to, ask.now)
        if doc is not None and len(doc.data["sends"]) >= _MAX_SENDS:
            raise ApiError(60203, "Too many codes were sent to this number", status=429)
        code = self._vault.open(doc.data["code"], doc.sid) if doc is not None else _code(ask, service)
        if doc is None:
            doc = self._new(ask, service, to, code)
        attempt = self._attempts.new(
            doc, channel, self._services.kept(ask.account, service.sid, ask["RateLimits"] or {})
        )
        made = {"channel": channel, "time": iso(ask.now), "attempt_sid": attempt.sid}
        data = {
            "sends": [*doc.data["sends"], made],
            "channel": channel,
            "name": ask["CustomFriendlyName"] or doc.data["name"],
            "locale": ask["Locale"] or "",
        }
        if channel == "sms":
            await self._send(ask, service, to, code)
        else:
            data |= {"calling_at": ask.now, "needs_key": service.data["dtmf_input_required"]}
        doc = doc.change(time.time(), data=data)
        await self._office.write([doc, attempt], events=[_event(doc, "sent")])
        if channel == "call":
            self._call(doc, code)
        self._guard.note_sent(service.sid, to, ask.now)
        return _show(doc, ask)

    def start(self) -> None:
        """Go on where an earlier process ended: what the guard had seen, and the calls that were promised."""
        self._attempts.recover(self._guard, time.time())
        self._attempts.recall(self._services, time.time())
        waiting = Query(VERIFICATION, None, equal={"state": "pending"}, is_ascending=True, limit=10_000)
        for doc in self._office.library.select(waiting):
            if doc.data.get("calling_at", 0.0) > time.time() - _RESUMABLE:
                self._call(doc, self._vault.open(doc.data["code"], doc.sid))

    def reconfigure(self) -> None:
        """Apply other rules."""
        rules = self._office.config.verify_rules
        if rules != self._guard.texts:
            self._guard.update(rules)
            self._attempts.recover(self._guard, time.time())

    def _call(self, doc: Document, code: str) -> None:
        """Have the code read out; what comes of the call is written down."""

        def done(what: str) -> None:
            latest = self._office.library.get(VERIFICATION, doc.sid, doc.account)
            if latest is not None:
                changed = latest.change(time.time(), data={"calling_at": 0.0})
                self._office.begin([changed], events=[_event(changed, f"call.{what}")])

        sender = self._sender(doc.account, "")
        data = doc.data
        reading = Reading(
            *(doc.account, doc.sid, doc.target, sender if is_e164(sender) else "", data["name"], code),
            locale=data["locale"],
            needs_key=data["needs_key"],
        )
        self._caller.call(reading, done)

    def _allow(self, ask: Ask, service: Document, to: str) -> None:
        if service.data["skip_sms_to_landlines"] and line_type(to) == "landline":
            raise ApiError(60205, "To: is a landline")
        limits = ask["RateLimits"]
        if limits is not None and not isinstance(limits, dict):
            raise ApiError(60200, "RateLimits: must be an object of JSON")
        self._services.spend(ask.account, service.sid, limits or {}, ask.now)
        if not self._office.config.verify_fraud_guard or ask["RiskCheck"] == "disable":
            return
        rule = self._guard.blocks(service.sid, to, ask.now)
        if rule is not None:
            self._office.audit.alert(ask.account, "verification held back", rule=rule.text, to=to)
            raise ApiError(60410, f"The code was held back. {rule.text}", status=403)

    def _new(self, ask: Ask, service: Document, to: str, code: str) -> Document:
        data = {
            "channel": ask["Channel"].lower(),
            "name": service.data["friendly_name"],
            "amount": ask["Amount"],
            "payee": ask["Payee"],
            "sends": [],
            "checks": 0,
            "expires_at": ask.now + _LIFETIME,
        }
        doc = self._shelf.new(ask.account, data, parent=service.sid, state="pending", target=to)
        return doc.change(ask.now, data={"code": self._vault.seal(code, doc.sid)})

    async def _send(self, ask: Ask, service: Document, to: str, code: str) -> Document:
        name = ask["CustomFriendlyName"] or service.data["friendly_name"]
        words = words_of(ask["Locale"] or "")
        text = words.written.format(name=name, code=code)
        if ask["Amount"] and ask["Payee"]:
            text += words.approves.format(amount=ask["Amount"], payee=ask["Payee"])
        if service.data["do_not_share_warning_enabled"]:
            text += words.warning
        if ask["AppHash"]:
            text = f"<#> {text}\n{ask['AppHash']}"
        given = {
            "To": to,
            "From": self._sender(ask.account, str(name)),
            "Body": text,
            "ContentRetention": "discard",  # a code is no reading matter
            "ValidityPeriod": int(_LIFETIME),
        }
        return await self._messages.send(ask.account, given)

    def _sender(self, account: str, name: str) -> str:
        """A number of the account, else the name of the service."""
        found = self._office.library.select(Query(NUMBER, account, is_ascending=True, limit=1))
        if found:
            return str(found[0].name)
        return re.sub(r"[^A-Za-z0-9 ]", "", name).strip()[:11] or "Verify"

    async def fetch(self, ask: Ask) -> Answer:
        """One, by its SID or by the number."""
        return _show(self._take(ask, ask.path["Which"]), ask)

    async def update(self, ask: Ask) -> Answer:
        """The application knows better: it is approved or cancelled."""
        doc = self._take(ask, ask.path["Which"])
        if doc.state != "pending":
            raise not_found("Verification")
        doc = doc.change(ask.now, state=ask["Status"])
        converted = self._attempts.converted(doc) if doc.state == "approved" else []
        await self._office.write([doc, *converted], events=[_event(doc, doc.state)])
        return _show(doc, ask)

    async def check(self, ask: Ask) -> Answer:
        """Whether a code is the one that was sent; after five wrong ones none is."""
        self._services.take(ask)
        if not ask["To"] and not ask["VerificationSid"]:
            raise ApiError(60221, "To or VerificationSid is required")
        doc = self._take(ask, ask["VerificationSid"] or ask["To"])
        if doc.state != "pending":
            raise not_found("VerificationCheck")
        if doc.data["checks"] >= _MAX_CHECKS:
            raise ApiError(60202, "Too many codes were tried", status=429)
        code = self._vault.open(doc.data["code"], doc.sid)
        is_right = hmac.compare_digest(code.encode(), (ask["Code"] or "").encode())
        is_same = (doc.data["amount"], doc.data["payee"]) == (ask["Amount"], ask["Payee"])
        state = "approved" if is_right and is_same else "pending"
        doc = doc.change(ask.now, state=state, data={"checks": doc.data["checks"] + 1})
        events = [_event(doc, "approved")] if state == "approved" else []
        converted = self._attempts.converted(doc) if state == "approved" else []
        await self._office.write([doc, *converted], events=events)
        if state == "approved":
            self._guard.note_approved(doc.parent, doc.target, ask.now)
        return _show_check(doc)

    def _take(self, ask: Ask, which: str) -> Document:
        service = self._services.take(ask)
        if which.startswith("VE"):
            doc = self._shelf.find(ask.account, which, service.sid)
        else:
            doc = self._pending(service, which.strip(), ask.now)
        if doc is None or (doc.state == "pending" and doc.data["expires_at"] <= ask.now):
            raise not_found("Verification")
        return doc

    def _pending(self, service: Document, to: str, now: float) -> Document | None:
        query = Query(VERIFICATION, service.account, parent=service.sid, equal={"target": to}, limit=5)
        for doc in self._office.library.select(query):
            latest = self._office.library.get(VERIFICATION, doc.sid, service.account)
            if latest is not None and latest.state == "pending" and latest.data["expires_at"] > now:
                return latest
        return None


def _code(ask: Ask, service: Document) -> str:
    custom = ask["CustomCode"]
    if custom:
        if not service.data["custom_code_enabled"]:
            raise ApiError(60204, "CustomCode: the service does not allow it", status=403)
        if not re.fullmatch(r"[0-9]{4,10}", custom):
            raise ApiError(60200, "CustomCode: must be 4 to 10 digits")
        return str(custom)
    length = service.data["code_length"]
    return f"{secrets.randbelow(10**length):0{length}d}"


def _event(doc: Document, what: str) -> tuple[str, str, str, dict[str, Any]]:
    return doc.account, f"verification.{what}", doc.sid, {"to": doc.target, "channel": doc.data["channel"]}


def _show(doc: Document, ask: Ask) -> dict[str, Any]:
    return {
        "sid": doc.sid,
        "service_sid": doc.parent,
        "account_sid": doc.account,
        "to": doc.target,
        "channel": doc.data["channel"],
        "status": doc.state,
        "valid": doc.state == "approved",
        "lookup": {},
        "amount": doc.data["amount"],
        "payee": doc.data["payee"],
        "send_code_attempts": doc.data["sends"],
        "sna": None,
        "date_created": iso(doc.created_at),
        "date_updated": iso(doc.updated_at),
        "url": f"{ask.base}/v2/Services/{doc.parent}/Verifications/{doc.sid}",
    }


def _show_check(doc: Document) -> dict[str, Any]:
    return {
        "sid": doc.sid,
        "service_sid": doc.parent,
        "account_sid": doc.account,
        "to": doc.target,
        "channel": doc.data["channel"],
        "status": doc.state,
        "valid": doc.state == "approved",
        "amount": doc.data["amount"],
        "payee": doc.data["payee"],
        "sna_attempts_error_codes": [],
        "date_created": iso(doc.created_at),
        "date_updated": iso(doc.updated_at),
    }
