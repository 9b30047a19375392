"""Those who said STOP to a sender hear no more of it until they say START: a list for each sender."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from switchroom.switch.config import SmsConfig

from .interfaces import OPTED_OUT, Refusal, Submission
from .texts import text_of

_PREFIX = "stop."
_GONE = ""
_AROUND = " \t\r\n.!\"'"  # nobody means anything else by "Stop."
_FROM_OUTSIDE = ("trunk", "modem", "sip", "user")
_MAX_REPLIES = 1000


class OptOuts:
    """Reads what receivers write, and knows who wants nothing."""

    def __init__(self, put: Callable[[str, str], None]) -> None:
        self._put = put
        self._stopped: set[str] = set()
        self._words: dict[str, str] = {}
        self._config: SmsConfig | None = None
        self.replies: deque[Submission] = deque()  # what is to be sent to those who wrote

    def reconfigure(self, config: SmsConfig) -> None:
        """Apply new words and texts."""
        self._config = config if config.opt_out else None
        self._words = {
            word.strip().upper(): kind
            for kind, words in (
                ("help", config.help_words),
                ("start", config.start_words),
                ("stop", config.stop_words),
            )
            for word in words
        }

    def load(self, values: Mapping[str, str]) -> None:
        """Who wanted nothing before the restart."""
        self._stopped = {
            key.removeprefix(_PREFIX)
            for key, value in values.items()
            if key.startswith(_PREFIX) and value != _GONE
        }

    def __len__(self) -> int:
        return len(self._stopped)

    def check(self, submission: Submission) -> Submission | Refusal:
        """Read a message from outside; refuse one to somebody who said stop."""
        if self._config is None:
            return submission
        source, destination = submission.source.number, submission.destination.number
        if submission.inlet.partition(":")[0] in _FROM_OUTSIDE:
            self._read(submission)
        if self.has_stopped(source, destination):
            return OPTED_OUT.saying(f"{destination}: wants no messages from {source}")
        return submission

    def has_stopped(self, sender: str, receiver: str) -> bool:
        """Whether somebody wants nothing from a sender."""
        return self._config is not None and f"{sender}|{receiver}" in self._stopped

    def _read(self, submission: Submission) -> None:
        kind = self._words.get((text_of(submission) or "")[:40].strip(_AROUND).upper())
        if kind is None or self._config is None:
            return
        if kind != "help":
            self.change(submission.destination.number, submission.source.number, has_stopped=kind == "stop")
        text: str = getattr(self._config, f"{kind}_reply")
        if text and len(self.replies) < _MAX_REPLIES:
            self.replies.append(
                Submission("app", submission.destination, submission.source, text.encode("utf-8"))
            )

    def change(self, sender: str, receiver: str, *, has_stopped: bool) -> None:
        """Somebody wants nothing of a sender from now on, or everything again."""
        key = f"{sender}|{receiver}"
        if has_stopped == (key in self._stopped):
            return
        if has_stopped:
            self._stopped.add(key)
        else:
            self._stopped.discard(key)
        self._put(_PREFIX + key, "1" if has_stopped else _GONE)

    def rows(self, sender: str = "") -> list[dict[str, object]]:
        """Who wants no messages, of one sender or of all."""
        pairs = sorted(key.partition("|") for key in self._stopped)
        return [{"sender": owner, "number": number} for owner, _, number in pairs if sender in ("", owner)]
