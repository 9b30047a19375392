"""Several workers, one presence: each tells the others of watched calls, publications and mailboxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.sip.packages.dialog_info import Dialog
from switchroom.protocols.sip.packages.message_summary import Counts
from switchroom.switch.calls.presence.status import Publication
from switchroom.switch.net.bus import Bus

if TYPE_CHECKING:
    from switchroom.switch.calls.presence.service import Presence

# What goes over the bus
_State = tuple[str, tuple[Dialog, ...], Dialog | None]  # user, calls, the one that ended last
_News = tuple[str, str | None, Publication | None]  # entity tag, the one before it, what was published


class Sharing:
    """One worker's end."""

    def __init__(self, bus: Bus, presence: Presence, now: Callable[[], float]) -> None:
        self._bus, self._presence, self._now = bus, presence, now
        self._watching: set[int] = set()  # workers that have watchers of calls
        if bus.is_alone:
            return
        presence.on_watched = self._tell_watched
        presence.dialogs.share = self._tell_dialogs
        presence.statuses.share = lambda tag, before, what: bus.publish("publications", (tag, before, what))
        presence.mailboxes.share = lambda *told: bus.publish("mailboxes", told)
        bus.subscribe("mailboxes", self._on_mailbox)
        bus.subscribe("watching", self._on_watching)
        bus.subscribe("lamps", self._on_dialogs)
        bus.subscribe("publications", self._on_publication)
        bus.on_lost.append(self._on_lost)
        bus.on_found.append(self._on_found)

    def _tell_watched(self, is_watched: bool) -> None:
        self._bus.publish("watching", is_watched)

    def _on_watching(self, is_watching: bool, slot: int) -> None:
        """Another worker has watchers, or has none any more."""
        if is_watching:
            self._watching.add(slot)
        else:
            self._watching.discard(slot)
        self._presence.set_needed_elsewhere(bool(self._watching), self._now())
        if is_watching:
            for topic in self._presence.dialogs.topics():
                self._tell_dialogs(topic)

    def _tell_dialogs(self, topic: str) -> None:
        if self._watching:
            state: _State = (topic, *self._presence.dialogs.own(topic))
            self._bus.publish("lamps", state)

    def _on_dialogs(self, state: _State, slot: int) -> None:
        self._presence.dialogs.learn(slot, *state, self._now())

    def _on_publication(self, news: _News, slot: int) -> None:
        self._presence.statuses.learn(*news, self._now())

    def _on_mailbox(self, told: tuple[str, str, Counts], slot: int) -> None:
        self._presence.mailboxes.learn(*told, self._now())

    def _on_lost(self, slot: int) -> None:
        """A worker died: its calls, publications and watchers with it."""
        now = self._now()
        self._watching.discard(slot)
        self._presence.set_needed_elsewhere(bool(self._watching), now)
        self._presence.dialogs.forget_worker(slot, now)
        self._presence.statuses.forget(lambda tag: (sip.Mint.slot_of(tag) or (-1,))[0] == slot, now)

    def _on_found(self, slot: int) -> None:
        """A worker is there: it has to know what the others know."""
        self._tell_watched(self._presence.is_watched)
        for tag, publication in self._presence.statuses.own(self._bus.slot):
            self._bus.publish("publications", (tag, None, publication))
