"""``/Conferences/{Sid}/Participants``: call somebody into it, mute, hold, coach, announce, kick."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from switchroom.switch.store.documents import Document

from ...front.operation import V2010, Answer, Ask, Operation
from ...wire import params
from ...wire.errors import ApiError, not_found
from ...wire.paging import one_page
from ...wire.sids import is_sid
from ..calling import CALLING, Calling
from ..nouns import MAX_NAME
from ..render import CALL
from ..wishes import Place
from .announcing import announce
from .conference import Conference
from .participant import Participant
from .render import show_expected, show_participant

if TYPE_CHECKING:
    from ..means import Means

_COACHING = (params.flag("Coaching"), params.text("CallSidToCoach", code=13240, max_size=34))
_WAIT = (params.url("WaitUrl", code=13233), params.method("WaitMethod", code=13234))
_UPDATE = (
    params.flag("Muted", code=13230),
    params.flag("Hold"),
    params.url("HoldUrl", code=21205),
    params.method("HoldMethod", code=21209),
    params.url("AnnounceUrl", code=21205),
    params.method("AnnounceMethod", code=21209),
    params.flag("BeepOnExit", code=13235),
    params.flag("EndConferenceOnExit", code=13231),
    *_COACHING,
    *_WAIT,
)
_CREATE = (
    params.text("Label", code=16024, max_size=128),
    params.flag("Muted", code=13230),
    params.choice("Beep", "true", "false", "onEnter", "onExit", code=13235),
    params.flag("StartConferenceOnEnter", code=13232),
    params.flag("EndConferenceOnExit", code=13231),
    params.count("MaxParticipants", 2, 250),
    params.text("ConferenceRecord", max_size=32),
    params.choice("ConferenceTrim", "trim-silence", "do-not-trim", code=13239),
    params.url("ConferenceStatusCallback", code=21205),
    params.method("ConferenceStatusCallbackMethod", code=21209),
    params.text("ConferenceStatusCallbackEvent", is_list=True, max_size=64),
    params.url("ConferenceRecordingStatusCallback", code=13256),
    params.method("ConferenceRecordingStatusCallbackMethod"),
    params.text("ConferenceRecordingStatusCallbackEvent", is_list=True, max_size=64),
    *_COACHING,
    *_WAIT,
)
_LIST = (
    params.flag("Muted"),
    params.flag("Hold"),
    params.flag("Coaching"),
    params.count("PageSize", 0, 10**9),
    params.count("Page", 0, 10**9),
    params.text("PageToken"),
)
_ATTRIBUTES = {
    "Muted": "muted",
    "Beep": "beep",
    "StartConferenceOnEnter": "startConferenceOnEnter",
    "EndConferenceOnExit": "endConferenceOnExit",
    "Label": "participantLabel",
    "WaitUrl": "waitUrl",
    "WaitMethod": "waitMethod",
    "MaxParticipants": "maxParticipants",
    "ConferenceTrim": "trim",
    "CallSidToCoach": "coach",
    "ConferenceStatusCallback": "statusCallback",
    "ConferenceStatusCallbackMethod": "statusCallbackMethod",
    "ConferenceStatusCallbackEvent": "statusCallbackEvent",
    "ConferenceRecordingStatusCallback": "recordingStatusCallback",
    "ConferenceRecordingStatusCallbackMethod": "recordingStatusCallbackMethod",
    "ConferenceRecordingStatusCallbackEvent": "recordingStatusCallbackEvent",
}


class ParticipantResources:
    """Those who are in a conference now, or are called into it."""

    def __init__(self, means: Means, calling: Calling) -> None:
        self._means, self._calling = means, calling

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, read, write = V2010 + "/Conferences/{Sid}/Participants", "conferences:read", "conferences:write"
        one = f"{base}/{{CallSid}}.json"
        create = (*CALLING, *_CREATE)
        yield Operation("GET", f"{base}.json", self.list_all, _LIST, read, summary="List participants")
        yield Operation("POST", f"{base}.json", self.create, create, write, 201, summary="Call somebody in")
        yield Operation("GET", one, self.fetch, (), read, summary="Fetch a participant, by call or label")
        yield Operation("POST", one, self.update, _UPDATE, write, summary="Mute, hold, coach, announce")
        yield Operation("DELETE", one, self.delete, (), write, summary="Put somebody out")

    # -- who

    def _conference(self, ask: Ask) -> Conference:
        found = self._means.conferences.find(ask.account, ask.path["Sid"])
        if found is None:
            raise not_found(f"/Conferences/{ask.path['Sid']}" if is_sid(ask.path["Sid"]) else "/Conferences")
        return found

    def _one(self, ask: Ask) -> Participant:
        conference, name = self._conference(ask), ask.path["CallSid"]
        found = conference.participants.get(name)
        if found is None:
            labelled = [one for one in conference.participants.values() if one.label == name]
            found = labelled[0] if labelled else None
        if found is None:
            raise not_found(f"/Participants/{name}" if is_sid(name) else "/Participants")
        return found

    def _expected(self, conference: Conference) -> list[Document]:
        """Who is called, and not there yet."""
        found = [self._means.office.library.get(CALL, sid, None) for sid in conference.expected]
        return [doc for doc in found if doc is not None]

    async def list_all(self, ask: Ask) -> Answer:
        """Those who are there now."""
        if not is_sid(ask.path["Sid"], "CF") or self._means.conferences.find(ask.account, ask.path["Sid"]):
            rows = [show_participant(one) for one in self._conference(ask).participants.values()]
        else:
            self._means.conferences.shelf.take(ask)  # it is over: nobody is there
            rows = []
        for name, field in (("Muted", "muted"), ("Hold", "hold"), ("Coaching", "coaching")):
            if ask[name] is not None:
                rows = [row for row in rows if row[field] == ask[name]]
        return one_page(ask, "participants", rows)

    async def fetch(self, ask: Ask) -> Answer:
        """One, by the SID of the call or by its label."""
        conference = self._conference(ask)
        for doc in self._expected(conference):
            if ask.path["CallSid"] in (doc.sid, doc.data["expected"]["label"]):
                return show_expected(conference.doc, doc)
        return show_participant(self._one(ask))

    # -- what

    async def update(self, ask: Ask) -> Answer:
        """Whatever is asked for, one thing after the other."""
        one = self._one(ask)
        coached = self._coached(ask, one)
        if ask["Muted"] is not None:
            one.mute(ask["Muted"])
        if ask["Hold"] is not None:
            hold = Place(ask["HoldUrl"], ask["HoldMethod"] or "POST") if ask["HoldUrl"] else None
            await one.hold(ask["Hold"], hold)
        if coached is not None:
            one.coach(coached)
        if ask["EndConferenceOnExit"] is not None:
            one.ends_on_exit = ask["EndConferenceOnExit"]
        if ask["BeepOnExit"] is not None:
            one.beeps = (
                *[beep for beep in one.beeps if beep != "exit"],
                *(("exit",) if ask["BeepOnExit"] else ()),
            )
        if ask["WaitUrl"] is not None:
            one.wish = replace(one.wish, wait=Place(ask["WaitUrl"], ask["WaitMethod"] or "POST"))
        if ask["AnnounceUrl"]:
            place = Place(ask["AnnounceUrl"], ask["AnnounceMethod"] or "POST")
            self._means.office.spawn(announce(self._means, one.conference, place, one))
        return show_participant(one)

    def _coached(self, ask: Ask, one: Participant) -> str | None:
        """Whom it is to coach; empty: nobody; None: as before."""
        if ask["Coaching"] is False:
            return ""
        sid = ask["CallSidToCoach"] or ""
        if not sid:
            if ask["Coaching"] and not one.coached:
                raise ApiError(13240, "CallSidToCoach is required")
            return None
        if sid == one.sid or sid not in one.conference.participants:
            raise ApiError(13240, "CallSidToCoach: is not another participant")
        return str(sid)

    async def delete(self, ask: Ask) -> Answer:
        """Out of the conference; the call goes on with its next verb."""
        self._one(ask).kick("participant_updated_via_api")
        return None

    # -- calling

    async def create(self, ask: Ask) -> Answer:
        """Call somebody who is in the conference as soon as the call is answered."""
        name = ask.path["Sid"]
        conference = self._means.conferences.find(ask.account, name)
        if conference is None:
            if is_sid(name, "CF"):
                raise not_found(f"/Conferences/{name}")
            if not 0 < len(name) <= MAX_NAME or "/" in name:
                raise ApiError(13237, f"The name of a conference has 1 to {MAX_NAME} characters")
        label = ask["Label"] or ""
        if "/" in label or is_sid(label, "CA"):
            raise ApiError(16024, "Label: is no label")
        expected = {
            "label": label,
            "muted": bool(ask["Muted"]),
            "coached": ask["CallSidToCoach"] or "",
            "ends": bool(ask["EndConferenceOnExit"]),
            "starts": ask["StartConferenceOnEnter"] is not False,
        }
        place = Place(twiml=_document(ask, name if conference is None else conference.name))
        conference = conference or self._means.conferences.named(ask.account, name)
        doc = await self._calling.make(ask, place, {"conference": conference.sid, "expected": expected})
        conference.expect(doc.sid)
        return show_expected(conference.doc, doc)


def _document(ask: Ask, name: str) -> str:
    """The document of whoever is called."""
    given: dict[str, Any] = {}
    for parameter, attribute in _ATTRIBUTES.items():
        value = ask[parameter]
        if value is None:
            continue
        if isinstance(value, list):
            value = " ".join(value)
        given[attribute] = str(value).lower() if isinstance(value, bool) else value
    if ask["ConferenceRecord"] in ("true", "record-from-start"):
        given["record"] = "record-from-start"
    attributes = "".join(f" {attribute}={quoteattr(str(value))}" for attribute, value in given.items())
    return f"<Response><Dial><Conference{attributes}>{escape(name)}</Conference></Dial></Response>"
