"""One of everything that an account can have, for tests that go through all operations."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpcore

from switchroom.switch.api.front.openapi import describe
from switchroom.switch.api.office import Shelf
from switchroom.switch.api.resources.alerts import ALERT
from switchroom.switch.api.resources.numbers import CALLER_ID
from switchroom.switch.api.room import ApiRoom
from switchroom.switch.api.voice.conferences.conference import Conference
from switchroom.switch.api.voice.conferences.participant import Participant
from switchroom.switch.api.voice.live import Live
from switchroom.switch.api.voice.queues.queue import Member
from switchroom.switch.api.voice.wishes import ConferenceWish

from .conftest import SID, TOKEN, call

OURS, THEIRS = "+15017122661", "+15558675310"
TRUNKED = "+4930555509"
MARK = "mark-of-the-first-account"  # stands in whatever text its resources have
_OPEN = {"AccountSid", "CountryCode", "PhoneNumber"}  # name nothing that belongs to somebody


@dataclass(frozen=True)
class Described:
    """One operation of the OpenAPI document."""

    method: str
    path: str
    scope: str
    params: dict[str, dict[str, Any]]  # schema by name
    required: tuple[str, ...]

    @property
    def is_of_one(self) -> bool:
        """Whether its path names a resource that belongs to somebody."""
        return bool(set(re.findall(r"\{(\w+)\}", self.path)) - _OPEN)

    def form(self, **given: str) -> dict[str, str]:
        """The required parameters, with something that can be read in each, and what is given."""
        return {name: _value(self.params[name]) for name in self.required} | given


def described(room: ApiRoom) -> Iterator[Described]:
    """Read the document, as a client would."""
    for path, methods in describe(room.house.table.operations)["paths"].items():
        for method, operation in methods.items():
            params = {one["name"]: one["schema"] for one in operation["parameters"] if one["in"] == "query"}
            required: list[str] = []
            for content in operation.get("requestBody", {}).get("content", {}).values():
                params |= content["schema"]["properties"]
                required += content["schema"].get("required", ())
            yield Described(method.upper(), path, operation["x-scope"], params, tuple(required))


def _value(schema: dict[str, Any]) -> str:
    schema = schema.get("items", schema)
    if "enum" in schema:
        return str(schema["enum"][0])
    if schema.get("format") == "uri":
        return "http://192.0.2.1/"
    values = {"integer": str(schema.get("minimum", 1)), "boolean": "true"}
    return values.get(schema["type"], "+15005550001")


def auth(user: str, password: str) -> tuple[str, str]:
    """The header of somebody."""
    return "Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def ask(
    pool: httpcore.AsyncConnectionPool,
    method: str,
    url: str,
    form: dict[str, str] | None = None,
    proof: tuple[str, str] = auth(SID, TOKEN),
) -> tuple[int, Any]:
    """One request; no answer is a page for a browser."""
    headers = [proof, ("Content-Type", "application/x-www-form-urlencoded")]
    content = urlencode(form).encode() if form is not None else None
    response = await pool.request(method, url, headers=headers, content=content)
    kind = dict(response.headers).get(b"content-type", b"").decode()
    assert "html" not in kind
    if "json" not in kind and response.content:
        return response.status, response.content
    return response.status, json.loads(response.content) if response.content else None


class Nobody:
    """A party that says and hears nothing."""

    is_over = False


def _live(room: ApiRoom, sid: str) -> Live:
    office = room.house.office
    doc = office.library.get("call", sid, SID)
    assert doc is not None
    return Live(office, doc)


async def _meeting(room: ApiRoom, sid: str) -> Conference:
    """A conference with one participant."""
    means = room.house.voice.means
    conference = means.conferences.named(SID, MARK)
    wish = ConferenceWish(MARK)
    conference.add(Participant(means, conference, _live(room, sid), Nobody(), wish))
    await means.office.begin([conference.doc])
    return conference


async def _sip(client: Any) -> dict[str, str]:
    """Domains and trunks, and what they go by."""
    sip, trunks = client.sip, client.trunking.v1.trunks
    users = await call(sip.credential_lists.create, MARK)
    login = await call(sip.credential_lists(users.sid).credentials.create, "marked", "Long-enough-1")
    access = await call(sip.ip_access_control_lists.create, MARK)
    address = await call(sip.ip_access_control_lists(access.sid).ip_addresses.create, MARK, "192.0.2.1")
    domain = await call(sip.domains.create, f"{MARK}.example", sip_registration=True)
    auth = sip.domains(domain.sid).auth
    await call(auth.calls.credential_list_mappings.create, users.sid)
    await call(auth.calls.ip_access_control_list_mappings.create, access.sid)
    await call(auth.registrations.credential_list_mappings.create, users.sid)
    trunk = await call(trunks.create, friendly_name=MARK)
    origin = await call(trunks(trunk.sid).origination_urls.create, 1, 1, True, MARK, "sip:127.0.0.1")
    await call(trunks(trunk.sid).credentials_lists.create, users.sid)
    await call(trunks(trunk.sid).ip_access_control_lists.create, access.sid)
    number = await call(client.incoming_phone_numbers.create, phone_number=TRUNKED, friendly_name=MARK)
    await call(trunks(trunk.sid).phone_numbers.create, number.sid)
    return {
        "Domains": domain.sid,
        "CredentialLists": users.sid,
        "CredentialSid": login.sid,
        "IpAccessControlLists": access.sid,
        "IpSid": address.sid,
        "MappedSid": users.sid,
        "AccessSid": access.sid,
        "Trunks": trunk.sid,
        "OriginationSid": origin.sid,
        "ListSid": users.sid,
        "SourcesSid": access.sid,
        "NumberSid": number.sid,
    }


async def fill(client: Any, room: ApiRoom) -> dict[str, str]:
    """One of everything: what stands in a path, by its name there."""
    number = await call(client.incoming_phone_numbers.create, phone_number=OURS, friendly_name=MARK)
    send = client.messages.create
    message = await call(send, from_=OURS, to=THEIRS, body=MARK, media_url=["http://a/b"])
    media = await call(client.messages(message.sid).media.list)
    application = await call(client.applications.create, friendly_name=MARK)
    key = await call(client.new_keys.create, friendly_name=MARK)
    service = await call(client.messaging.v1.services.create, friendly_name=MARK)
    await call(client.messaging.v1.services(service.sid).phone_numbers.create, number.sid)
    alpha = await call(client.messaging.v1.services(service.sid).alpha_senders.create, MARK[:11])
    verify = await call(client.verify.v2.services.create, friendly_name=MARK)
    limit = await call(client.verify.v2.services(verify.sid).rate_limits.create, unique_name=MARK)
    path = client.verify.v2.services(verify.sid).rate_limits(limit.sid).buckets.create
    bucket = await call(path, max=1, interval=1)
    sent = await call(client.verify.v2.services(verify.sid).verifications.create, to=THEIRS, channel="sms")
    made = await call(client.calls.create, to=THEIRS, from_=OURS, twiml="<Response/>")
    conference = await _meeting(room, made.sid)
    queue = await call(client.queues.create, friendly_name=MARK)
    means = room.house.voice.means
    line = means.queues.named(SID, MARK)
    assert line is not None
    line.add(Member(line, _live(room, made.sid), Nobody()))
    data = {"source": "RecordVerb", "channels": 1, "duration": 1, "conference": conference.sid}
    recording = means.tapes.shelf.new(SID, data, parent=made.sid, state="completed")
    said = means.transcripts.shelf.new(
        SID, {"duration": 1, "text": MARK}, parent=recording.sid, state="completed"
    )
    heard = means.streams.shelf.new(SID, {"name": MARK}, parent=made.sid, state="stopped")
    named = {"phone_number": THEIRS, "friendly_name": MARK}
    proven = Shelf(means.office, CALLER_ID, "PN").new(SID, named, name=f"{SID}/{THEIRS}")
    wrong = {"code": 11200, "message": MARK, "resource": made.sid}
    events = [(SID, ALERT, made.sid, wrong)]
    await room.house.library.write([recording, said, heard, proven], events=events)
    alert = f"NO{room.house.library.durable_event_id:032x}"
    return {
        "IncomingPhoneNumbers": number.sid,
        "Calls": made.sid,
        "RecordingSid": recording.sid,
        **await _sip(client),
        "TranscriptionSid": said.sid,
        "StreamSid": heard.sid,
        "Conferences": conference.sid,
        "Queues": queue.sid,
        "CallSid": made.sid,
        "Messages": message.sid,
        "MediaSid": media[0].sid,
        "Applications": application.sid,
        "Keys": key.sid,
        "SigningKeys": key.sid,
        "AlphaSid": alpha.sid,
        "AlertSid": alert,
        "CallerIdSid": proven.sid,
        "Attempts": sent.send_code_attempts[0]["attempt_sid"],
        "v1/Services": service.sid,
        "Number": number.sid,
        "v2/Services": verify.sid,
        "LimitSid": limit.sid,
        "BucketSid": bucket.sid,
        "Which": sent.sid,
    }


def filled(path: str, known: dict[str, str], account: str) -> str:
    """A path with the sample's names in it."""
    path = path.replace("{AccountSid}", account).replace("{CountryCode}", "US")
    path = path.replace("{PhoneNumber}", THEIRS)
    for group in sorted(known, key=len, reverse=True):
        path = path.replace(f"{group}/{{Sid}}", f"{group}/{known[group]}")
        path = path.replace(f"{{{group}}}", known[group])
    assert "{" not in path, f"{path}: fill() has no sample of this resource"
    return path
