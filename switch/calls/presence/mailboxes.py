"""Waiting messages: counts of each user's mailbox (RFC 3842)."""

from __future__ import annotations

from collections.abc import Callable

from switchroom.protocols.sip.packages import message_summary
from switchroom.protocols.sip.packages.message_summary import Counts, Summary
from switchroom.switch.store import SettingStore

VOICE, _TEXT = "voice-message", "text-message"
_KEY = "mailbox."  # then the kind, a dot, the user


class Mailboxes:
    """What others tell of mailboxes, and the texts that wait."""

    event = message_summary.EVENT
    content_type = message_summary.CONTENT_TYPE
    is_private = True

    def __init__(
        self, texts_of: Callable[[str], int] = lambda user: 0, settings: SettingStore | None = None
    ) -> None:
        """``texts_of``: how many texts wait for a user; ``settings``: keeps counts over a restart."""
        self._texts_of, self._settings = texts_of, settings
        self._counts: dict[str, dict[str, Counts]] = {}
        self.share: Callable[[str, str, Counts], None] = lambda user, kind, counts: None
        self.on_change: Callable[[str, float], None] = lambda topic, now: None

    def load(self) -> None:
        """Take up what was told before the restart."""
        for key, value in self._settings.load(_KEY).items() if self._settings is not None else ():
            kind, _, user = key.partition(".")
            self._counts.setdefault(user, {})[kind] = Counts(*map(int, value.split()))

    def set(self, user: str, counts: Counts, now: float, kind: str = VOICE) -> None:
        """So many messages of a kind wait for the user."""
        if kind not in message_summary.CLASSES:
            raise ValueError(f"{kind}: there is no such kind of message")
        self._counts.setdefault(user, {})[kind] = counts
        if self._settings is not None:
            self._settings.save(f"{_KEY}{kind}.{user}", " ".join(map(str, counts)))
        self.share(user, kind, counts)
        self.on_change(user, now)

    def learn(self, user: str, kind: str, counts: Counts, now: float) -> None:
        """Another worker was told, and has kept it."""
        self._counts.setdefault(user, {})[kind] = counts
        self.on_change(user, now)

    def counts_of(self, user: str) -> dict[str, Counts]:
        """What waits for the user, by kind."""
        counts = {VOICE: Counts(0), **self._counts.get(user, {})}
        texts = self._texts_of(user)
        if texts:
            counts[_TEXT] = Counts(texts)
        return counts

    def document(self, topic: str, entity: str, version: int, now: float) -> bytes:
        """The user's mailbox in numbers."""
        counts = self.counts_of(topic)
        return bytes(Summary(any(one.new for one in counts.values()), entity, tuple(counts.items())))
