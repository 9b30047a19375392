"""How conferences and participants are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document

from ...office import API_VERSION, account_uri
from ...wire.dates import rfc2822

if TYPE_CHECKING:
    from .participant import Participant


def show_conference(doc: Document) -> dict[str, Any]:
    """As REST shows it."""
    below = {"participants": "Participants", "recordings": "Recordings"}
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "friendly_name": doc.data["friendly_name"],
        "status": doc.state,
        "reason_conference_ended": doc.data.get("reason"),
        "call_sid_ending_conference": doc.data.get("ended_by"),
        "region": None,
        "api_version": API_VERSION,
        "date_created": rfc2822(doc.created_at),
        "date_updated": rfc2822(doc.updated_at),
        "uri": account_uri(doc.account, "Conferences", doc.sid),
        "subresource_uris": {
            name: account_uri(doc.account, "Conferences", doc.sid, path) for name, path in below.items()
        },
    }


def show_participant(one: Participant) -> dict[str, Any]:
    """As REST shows somebody who is there."""
    return _show(
        one.conference.doc,
        one.sid,
        label=one.label or None,
        status="connected",
        muted=one.is_muted,
        hold=one.is_held,
        coaching=bool(one.coached),
        call_sid_to_coach=one.coached or None,
        end_conference_on_exit=one.ends_on_exit,
        start_conference_on_enter=one.wish.can_start,
        date_created=rfc2822(one.joined_at),
        date_updated=rfc2822(one.changed_at),
    )


def show_expected(conference: Document, call: Document) -> dict[str, Any]:
    """Somebody who is called, and is to come."""
    wish = call.data["expected"]
    status = {"queued": "queued", "ringing": "ringing", "in-progress": "connecting", "completed": "complete"}
    return _show(
        conference,
        call.sid,
        label=wish["label"] or None,
        status=status.get(call.state, "failed"),
        muted=wish["muted"],
        hold=False,
        coaching=bool(wish["coached"]),
        call_sid_to_coach=wish["coached"] or None,
        end_conference_on_exit=wish["ends"],
        start_conference_on_enter=wish["starts"],
        date_created=rfc2822(call.created_at),
        date_updated=rfc2822(call.updated_at),
    )


def _show(conference: Document, call: str, **more: Any) -> dict[str, Any]:
    return {
        "account_sid": conference.account,
        "conference_sid": conference.sid,
        "call_sid": call,
        "queue_time": "0",
        **more,
        "uri": account_uri(conference.account, "Conferences", conference.sid, "Participants", call),
    }
