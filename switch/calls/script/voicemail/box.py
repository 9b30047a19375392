"""A box on disk: one file a message, in the folder that says what it is; all that changes is a rename.

``draft`` has what is being recorded, ``new`` what nobody has heard, ``old`` the rest. A draft that a killed
switch left is a message, too.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"(\d{13})-([0-9A-Za-z+*#_]{0,32})-[0-9a-f]{8}\.(?:wav|ogg)")
_UNSAFE = re.compile(r"[^0-9A-Za-z+*#_]")
_GREETINGS = ("greeting.wav", "greeting.ogg")
_ALIVE_MS = 10_000  # a file that is being recorded changes each second
_EMPTY = 1000  # octets that no message is shorter than


class Message(NamedTuple):
    """One that waits, or was heard."""

    path: Path
    at_ms: int  # since 1970, UTC
    caller: str

    @property
    def is_new(self) -> bool:
        """Whether nobody has heard it."""
        return self.path.parent.name == "new"


class Box:
    """One user's; its methods do I/O and are called in threads."""

    def __init__(self, folder: Path, kind: str = "wav") -> None:
        self.folder, self._kind = folder, kind

    def messages(self) -> list[Message]:
        """New ones first, then old ones, each from the earliest on."""
        return [*self._in("new"), *self._in("old")]

    def counts(self) -> tuple[int, int]:
        """New ones and old ones."""
        return len(self._in("new")), len(self._in("old"))

    def draft(self, caller: str, at_ms: int) -> Path:
        """Where a message is to be recorded."""
        name = f"{at_ms:013d}-{_UNSAFE.sub('', caller)[:32]}-{secrets.token_hex(4)}.{self._kind}"
        return self._made("draft") / name

    def keep(self, draft: Path) -> None:
        """A draft is a message from now on."""
        draft.rename(self._made("new") / draft.name)

    def mark(self, message: Message) -> Message:
        """It was heard."""
        if not message.is_new:
            return message
        path = self._made("old") / message.path.name
        message.path.rename(path)
        return message._replace(path=path)

    def recover(self, now_ms: int) -> None:
        """Take up the drafts of a switch that was killed, and drop those with nothing in them."""
        for draft in self._in("draft"):
            stat = draft.path.stat()
            if now_ms - stat.st_mtime * 1000 < _ALIVE_MS:
                continue  # another worker records it
            if stat.st_size > _EMPTY:
                self.keep(draft.path)
            else:
                draft.path.unlink(missing_ok=True)

    # -- the greeting

    @property
    def greeting(self) -> Path | None:
        """What its owner has recorded for those who call."""
        return next((path for name in _GREETINGS if (path := self.folder / name).is_file()), None)

    def greeting_draft(self) -> Path:
        """Where a greeting is to be recorded."""
        return self._made("draft") / f"greeting.{self._kind}"

    def greet(self, draft: Path) -> None:
        """Greet with a draft from now on."""
        draft.replace(self.folder / draft.name)
        for name in _GREETINGS:
            if name != draft.name:
                (self.folder / name).unlink(missing_ok=True)

    def _in(self, name: str) -> list[Message]:
        folder = self.folder / name
        try:
            paths = sorted(folder.iterdir())
        except FileNotFoundError:
            return []
        found = [(path, _NAME.fullmatch(path.name)) for path in paths]
        return [Message(path, int(match[1]), match[2]) for path, match in found if match is not None]

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
