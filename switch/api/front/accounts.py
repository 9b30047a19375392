"""Accounts and keys as they are kept, with their secrets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from switchroom.switch.store.documents import Document, Library, Query

from ..wire.sids import new_sid
from .vault import Vault, hash_secret, new_secret

ACCOUNT, KEY = "account", "key"


class Accounts:
    """Finds accounts and keys; keeps the tokens that were opened."""

    def __init__(self, library: Library, vault: Vault) -> None:
        self._library, self.vault = library, vault
        self._opened: dict[str, str] = {}  # sealed text: token
        self.on_change: Callable[[], None] = lambda: None  # credentials are others now

    async def ensure_first(self, sid: str = "", token: str = "") -> str:
        """Make the main account if there is none, or the one that the configuration names; gives its SID."""
        if sid:
            found = self.get(sid)
            if found is None:
                await self._library.write([self.make("Main account", sid=sid, token=token)])
            elif token and token not in self.tokens(sid):
                await self.change(found, token=self.vault.seal(token, sid))
            return sid
        for doc in self._library.select(
            Query(ACCOUNT, None, fields={"owner": ""}, is_ascending=True, limit=1)
        ):
            return doc.sid
        made = self.make("Main account")
        await self._library.write([made])
        return made.sid

    def make(self, friendly_name: str, *, owner: str = "", sid: str = "", token: str = "") -> Document:
        """A new account, not written yet."""
        sid = sid or new_sid("AC")
        now = time.time()
        data = {
            "friendly_name": friendly_name,
            "status": "active",
            "owner": owner,
            "token": self.vault.seal(token or new_secret(), sid),
            "secondary": "",
        }
        return Document(self._library.next_seq(), sid, owner or sid, ACCOUNT, now, now, data)

    def get(self, sid: str) -> Document | None:
        """The account of a SID."""
        return self._library.get(ACCOUNT, sid, None)

    def belongs(self, sid: str, to: str) -> bool:
        """Whether an account is the other one or is owned by it."""
        if sid == to:
            return True
        found = self.get(sid)
        return found is not None and found.data["owner"] == to

    def is_main(self, sid: str) -> bool:
        """Whether nobody owns the account."""
        found = self.get(sid)
        return found is not None and not found.data["owner"]

    def is_active(self, sid: str) -> bool:
        """Whether the account, and whoever owns it, may do anything."""
        found = self.get(sid)
        if found is None or found.data["status"] != "active":
            return False
        return not found.data["owner"] or self.is_active(found.data["owner"])

    def tokens(self, sid: str) -> list[str]:
        """What an account may prove itself with, the primary token first; closed ones cannot."""
        found = self.get(sid)
        if found is None or found.data["status"] == "closed":
            return []
        return [self._open(found.data[name], sid) for name in ("token", "secondary") if found.data[name]]

    def token(self, sid: str) -> str:
        """The token that signs what the account gets."""
        found = self.get(sid)
        return "" if found is None else self._open(found.data["token"], sid)

    async def change(self, doc: Document, **data: Any) -> Document:
        """Write some fields of an account."""
        changed = doc.change(time.time(), data=data)
        await self._library.write([changed])
        self.on_change()
        return changed

    def key(self, sid: str) -> Document | None:
        """The key of a SID."""
        return self._library.get(KEY, sid, None)

    def make_key(self, account: str, friendly_name: str, scopes: list[str]) -> tuple[Document, str]:
        """A new key, not written yet, and the secret that is shown once."""
        secret, now = new_secret(), time.time()
        data = {"friendly_name": friendly_name, "hash": hash_secret(secret), "scopes": scopes}
        return Document(self._library.next_seq(), new_sid("SK"), account, KEY, now, now, data), secret

    def seal_new(self, sid: str) -> tuple[str, str]:
        """A new token for an account: sealed, and as it is shown."""
        token = new_secret()
        return self.vault.seal(token, sid), token

    def _open(self, sealed: str, sid: str) -> str:
        token = self._opened.get(sealed)
        if token is None:
            if len(self._opened) > 10_000:
                self._opened.clear()
            token = self._opened[sealed] = self.vault.open(sealed, sid)
        return token
