"""All conferences of the API that go on, and how a call takes part in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...office import Shelf
from ..actions import (
    Dial,
    Dialled,
)
from ..talk import Talk
from ..wishes import ConferenceWish
from .conference import Conference
from .participant import Participant

if TYPE_CHECKING:
    from switchroom.switch.calls.script.conference import ConferenceEvent

    from ..live import Live
    from ..means import Means
    from ..performer import Performer

CONFERENCE = "conference"


class Conferences:
    """By their SIDs, and by account and name."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self.shelf = Shelf(means.office, CONFERENCE, "CF")
        self.open: dict[str, Conference] = {}
        self._named: dict[tuple[str, str], Conference] = {}

    def start(self) -> None:
        """Those of an earlier process are over; rooms tell who speaks."""
        for doc in self.shelf.left("init", "in-progress"):
            Conference(self._means, doc).give_out()
        self._means.apps.house.conferences.on_event.append(self._hear)

    def stop(self) -> None:
        """Listen no more."""
        self._means.apps.house.conferences.on_event.remove(self._hear)

    def _hear(self, event: ConferenceEvent) -> None:
        if event.kind == "speaker" and event.conference.startswith("api:"):
            found = self.open.get(event.conference.removeprefix("api:"))
            if found is not None:
                found.hear(event)

    # -- which

    def named(self, account: str, name: str) -> Conference:
        """The one of that name, which is made when there is none."""
        found = self._named.get((account, name))
        if found is None:
            doc = self.shelf.new(account, {"friendly_name": name}, state="init")
            found = self.open[doc.sid] = self._named[account, name] = Conference(self._means, doc)
        return found

    def find(self, account: str, name: str) -> Conference | None:
        """One that goes on, by SID or name."""
        found = self.open.get(name) or self._named.get((account, name))
        return found if found is not None and found.doc.account == account else None

    def note_end(self, live: Live) -> None:
        """A call is over that was, perhaps, to come into one of them."""
        found = self.open.get(live.doc.data.get("conference", ""))
        if found is not None and live.sid in found.expected:
            found.give_up(live.sid)

    def forget(self, conference: Conference) -> None:
        """It is over: the next of that name is another."""
        self.open.pop(conference.sid, None)
        self._named.pop((conference.doc.account, conference.name), None)

    # -- who

    async def take_part(self, performer: Performer, action: Dial, wish: ConferenceWish) -> Dialled:
        """Until somebody ends that."""
        live = performer.live
        conference = self.named(live.account, wish.name)
        problem = self._problem(conference, wish)
        if problem is not None:
            live.complain(*problem)
            return Dialled("failed")
        one = Participant(self._means, conference, live, performer.party, wish)
        talk = Talk(performer, action)
        conference.add(one)
        try:
            await talk.run(one.stay())
        except OSError as error:
            live.complain(16020, f"Conference: {error}")
            return Dialled("failed")
        finally:
            await conference.remove(one)
        return Dialled("completed", more=talk.recorded())

    def _problem(self, conference: Conference, wish: ConferenceWish) -> tuple[int, str] | None:
        everybody = conference.participants.values()
        if len(everybody) >= wish.max_participants:
            return 16020, f"Conference: {wish.name[:100]} is full"
        if wish.label and any(one.label == wish.label for one in everybody):
            return 16025, f"Conference: the label {wish.label} is in use by another participant"
        return None
