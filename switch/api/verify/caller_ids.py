"""OutgoingCallerIds: numbers that an account does not have and may call from, because who has them said so.

The number is called, and whoever answers keys in the code that the answer to the request has shown.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from switchroom.switch.calls.identity import Identity
from switchroom.switch.calls.script import Call, CallEnded, NotAnswered
from switchroom.switch.media.clips import Silence, Sound
from switchroom.switch.store.documents import Document, Query

from ..front.operation import V2010, Answer, Ask, Operation
from ..front.rates import Rates
from ..office import Shelf, account_uri
from ..resources.numbers import CALLER_ID, NUMBER
from ..voice.live import Live
from ..voice.render import CALL, status_of
from ..voice.speaking.speech import SpeechError
from ..webhooks.courier import Letter
from ..wire import params
from ..wire.dates import rfc2822
from ..wire.errors import ApiError

if TYPE_CHECKING:
    from ..office import Office
    from ..voice.means import Means

_APP = "caller_id"
_MAX = 1000
_DIGITS, _TRIES = 6, 3
_PATIENCE, _RINGS = 10.0, 60.0
_ASK = "Please enter the six digit validation code."
_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_NAME = params.text("FriendlyName", max_size=64)
_CREATE = (
    params.text("PhoneNumber", max_size=32, is_required=True, code=21401),
    _NAME,
    params.count("CallDelay", 0, 60),
    params.text("Extension", max_size=32),
    params.url("StatusCallback", code=21502),
    params.method("StatusCallbackMethod", code=21403),
)


class CallerIdResources:
    """``/OutgoingCallerIds``."""

    def __init__(self, office: Office, means: Means) -> None:
        self._office, self._means = office, means
        self._shelf = Shelf(office, CALLER_ID, "PN")
        self._calls = Shelf(office, CALL, "CA")
        self._rates = Rates(3 / 3600, 3)  # calls to one number: nobody is to be bothered

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, read, write = V2010 + "/OutgoingCallerIds", "numbers:read", "numbers:write"
        one = f"{base}/{{CallerIdSid}}.json"
        filters = (params.text("PhoneNumber", max_size=32), _NAME, *_PAGE)
        yield Operation("GET", f"{base}.json", self.list_all, filters, read, summary="Numbers to call from")
        yield Operation("POST", f"{base}.json", self.create, _CREATE, write, 200, summary="Prove one")
        yield Operation("GET", one, self.fetch, (), read, summary="Fetch one")
        yield Operation("POST", one, self.update, (_NAME,), write, summary="Name it otherwise")
        yield Operation("DELETE", one, self.delete, (), write, summary="Call from it no more")

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account."""
        names = (("PhoneNumber", "phone_number"), ("FriendlyName", "friendly_name"))
        fields = {field: ask[name] for name, field in names if ask[name]}
        return await self._shelf.list_first(ask, "outgoing_caller_ids", _show, fields=fields)

    async def create(self, ask: Ask) -> Answer:
        """Call the number; what is shown here must be keyed in there."""
        kind, number = "number", (ask["PhoneNumber"] or "").strip()
        target = await self._means.target(ask.account, kind, number)
        if not params.is_e164(target.to):
            raise ApiError(21401, "PhoneNumber: must begin with + and the code of a country")
        if self._office.library.named(CALLER_ID, _name(ask.account, target.to)) is not None:
            raise ApiError(21450, "PhoneNumber: is validated already")
        if self._office.library.count(Query(CALLER_ID, ask.account)) >= _MAX:
            raise ApiError(20422, f"The account has {_MAX} such numbers already")
        if wait := self._rates.take(f"{ask.account}/{target.to}", ask.now):
            raise ApiError(20429, headers={"Retry-After": str(round(wait) + 1)})
        self._means.count(ask.account)
        code = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
        row = {"direction": "outbound-api"}
        doc = self._calls.new(
            ask.account, row, state="queued", source=self._shown(ask.account), target=target.to
        )
        live = Live(self._office, doc)
        await live.begin()
        self._office.spawn(self._validate(live, code, dict(ask.found)))
        return {
            "account_sid": ask.account,
            "call_sid": doc.sid,
            "friendly_name": ask["FriendlyName"] or target.to,
            "phone_number": target.to,
            "validation_code": code,
        }

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        return _show(self._shelf.take(ask, "CallerIdSid"))

    async def update(self, ask: Ask) -> Answer:
        """Another name."""
        name = {"friendly_name": ask["FriendlyName"]} if ask["FriendlyName"] is not None else {}
        doc = self._shelf.take(ask, "CallerIdSid").change(ask.now, data=name)
        await self._office.write([doc])
        return _show(doc)

    async def delete(self, ask: Ask) -> Answer:
        """Nobody calls from it any more."""
        await self._office.write(drops=[self._shelf.take(ask, "CallerIdSid")])
        return None

    # -- the call

    def _shown(self, account: str) -> str:
        """Who calls: any number of the account."""
        found = self._office.library.select(Query(NUMBER, account, is_ascending=True, limit=1))
        return str(found[0].name) if found else ""

    async def _validate(self, live: Live, code: str, found: dict[str, Any]) -> None:
        await asyncio.sleep(found.get("CallDelay") or 0)
        shown = live.doc.source
        try:
            prompt: Sound = await self._means.speech.speak(_ASK, "", "en-US")
        except SpeechError:
            prompt = Silence(0.2)  # whoever asked for the call knows what to do
        live.enter("ringing")
        try:
            caller = Identity(shown, is_private=not shown)
            call = await self._means.apps.call(live.doc.target, app=_APP, caller=caller, timeout=_RINGS)
        except NotAnswered as error:
            live.end(status_of(error.status), error.status)
            await self._settle(live, found, is_right=False)
            return
        live.enter("in-progress")

        async def ask(call: Call) -> None:
            is_right = False
            try:
                is_right = await _is_known(call, code, found.get("Extension") or "", prompt)
                await call.hang_up()
            except CallEnded:
                pass
            finally:
                live.end("completed", call.entry.cause or 0)
                await self._settle(live, found, is_right=is_right)

        self._means.apps.run(ask, call)

    async def _settle(self, live: Live, found: dict[str, Any], *, is_right: bool) -> None:
        """Write down what came of it, and tell."""
        number, account = live.doc.target, live.account
        docs = []
        if is_right and self._office.library.named(CALLER_ID, _name(account, number)) is None:
            data = {"phone_number": number, "friendly_name": found.get("FriendlyName") or number}
            docs = [self._shelf.new(account, data, name=_name(account, number))]
        status = "success" if is_right else "failed"
        letters = []
        if url := found.get("StatusCallback"):
            given = [("AccountSid", account), ("CallSid", live.sid), ("To", number)]
            given += [("VerificationStatus", status), *(("OutgoingCallerIdSid", doc.sid) for doc in docs)]
            method = found.get("StatusCallbackMethod") or "POST"
            letters = [Letter(account, live.sid, "call", url, given, method)]
        event = (account, f"caller_id.{status}", live.sid, {"phone_number": number})
        await self._office.note(docs, letters, [event])


async def _is_known(call: Call, code: str, extension: str, prompt: Sound) -> bool:
    """Whether whoever answers keys in the code."""
    if extension:
        await call.send_keys(extension)
    for _ in range(_TRIES):
        keys = await call.gather(_DIGITS, timeout=_PATIENCE, finish_on="", prompt=prompt)
        if hmac.compare_digest(keys, code):
            return True
    return False


def _name(account: str, number: str) -> str:
    """Unique for each account: several may prove the same number."""
    return f"{account}/{number}"


def _show(doc: Document) -> dict[str, Any]:
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        **doc.data,
        "date_created": rfc2822(doc.created_at),
        "date_updated": rfc2822(doc.updated_at),
        "uri": account_uri(doc.account, "OutgoingCallerIds", doc.sid),
    }
