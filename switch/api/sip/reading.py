"""From documents to users, trunks and routes: what each worker reads when something has changed."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import structlog

from switchroom.switch.config import Hosted, HostedRoute, HostedTrunk, HostedUser
from switchroom.switch.store.documents.document import COLUMNS, Document, read_row

from ..front.vault import Vault
from .kinds import (
    ACCESS,
    ADDRESS,
    CREDENTIAL,
    DOMAIN,
    KINDS,
    LIST,
    OF_FILE,
    ORIGINATION,
    RECOVERY,
    TRUNK,
)

_DOCUMENTS = f"SELECT {', '.join(COLUMNS)} FROM documents WHERE kind = ? ORDER BY seq"
_NUMBERS = (
    "SELECT account, name, coalesce(json_extract(data, '$.trunk_sid'), '') FROM documents "
    "WHERE kind = 'number' AND name > ''"
)
_SID, _ACCOUNT, _UPDATED = (COLUMNS.index(name) for name in ("sid", "account", "updated_at"))
_AT_ONCE = 50  # numbers in one route: its patterns are one text

_ANYBODY = HostedUser.model_construct(name="")  # to be copied: what is the same for all is made once

log = structlog.get_logger("switchroom.api")


class Reader:
    """Reads beside whoever writes; what has not changed is not made again."""

    def __init__(self, path: Path, vault: Vault, realm: str) -> None:
        """``realm``: of the digests that the switch asks for."""
        self._path, self._vault, self._realm = path, vault, realm
        self._known: dict[str, Document] = {}  # as they were read last
        self._users: dict[str, HostedUser] = {}
        self._a1s: dict[str, tuple[float, dict[str, str]]] = {}  # by SID: of when, and what

    def read(self) -> Hosted:
        """All of it; from any thread, of which one at a time may ask. It blocks."""
        if not self._path.exists():
            return Hosted()
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as connection:
            found = {kind: self._documents(connection, kind) for kind in (*KINDS, "account")}
            numbers = connection.execute(_NUMBERS).fetchall()
        self._known = {doc.sid: doc for docs in found.values() for doc in docs}
        if any(found[kind] for kind in KINDS):
            self._vault.start()
        return _Composition(self, found, numbers).hosted()

    def _documents(self, connection: sqlite3.Connection, kind: str) -> list[Document]:
        found = []
        for row in connection.execute(_DOCUMENTS, (kind,)):
            known = self._known.get(row[_SID])
            is_same = (
                known is not None and known.updated_at == row[_UPDATED] and known.account == row[_ACCOUNT]
            )
            found.append(known if known is not None and is_same else read_row(row))
        return found

    def user(self, **fields: Any) -> HostedUser:
        """One, and the same as before if nothing of it differs."""
        known = self._users.get(fields["name"])
        if known is not None and all(getattr(known, name) == value for name, value in fields.items()):
            return known
        return _ANYBODY.model_copy(update=fields)

    def keep(self, users: tuple[HostedUser, ...]) -> None:
        """These are there now."""
        self._users = {user.name: user for user in users}

    def a1(self, credential: Document) -> dict[str, str]:
        """What its password comes down to; nothing if that is for another realm."""
        made_at, a1 = self._a1s.get(credential.sid, (0.0, {}))
        if made_at != credential.updated_at:
            if credential.data["realm"] != self._realm:
                log.warning("api.credential_of_another_realm", credential=credential.sid)
                return {}
            a1 = json.loads(self._vault.open(credential.data["a1"], credential.sid))
            self._a1s[credential.sid] = credential.updated_at, a1
        return a1


class _Composition:
    """One reading."""

    def __init__(
        self, reader: Reader, found: dict[str, list[Document]], numbers: list[tuple[str, str, str]]
    ) -> None:
        self._reader = reader
        accounts = {doc.sid: doc.data for doc in found.pop("account")}
        self._main = {sid for sid, data in accounts.items() if not data["owner"]}
        active = {
            sid
            for sid, data in accounts.items()
            if data["status"] == accounts.get(data["owner"], data)["status"] == "active"
        }
        self._found = {kind: [doc for doc in docs if doc.account in active] for kind, docs in found.items()}
        self._below: defaultdict[str, list[Document]] = defaultdict(list)
        for kind in (CREDENTIAL, ADDRESS, ORIGINATION):
            for doc in self._found[kind]:
                self._below[doc.parent].append(doc)
        self._lists = {doc.sid: doc.account for kind in (LIST, ACCESS) for doc in self._found[kind]}
        self._numbers = numbers

    def hosted(self) -> Hosted:
        trunks = {doc.sid: doc for doc in self._found[TRUNK]}
        answered, of_trunks = set(), defaultdict[str, list[str]](list)
        for account, number, trunk in self._numbers:
            if trunk in trunks and trunks[trunk].account == account:
                of_trunks[trunk].append(number)
            else:
                answered.add(number)
        users = tuple(user for doc in self._found[DOMAIN] for user in self._users_of(doc))
        self._reader.keep(users)
        return Hosted(
            users,
            tuple(trunk for doc in self._found[DOMAIN] for trunk in self._door_of(doc))
            + tuple(one for doc in trunks.values() for one in self._trunks_of(doc)),
            tuple(route for sid, names in of_trunks.items() for route in self._routes_of(trunks[sid], names)),
            frozenset(answered),
            {source: doc.sid for doc in self._found[DOMAIN] for source in self._answered_of(doc, users)},
        )

    # -- domains

    def _users_of(self, domain: Document) -> Iterator[HostedUser]:
        data, host = domain.data, domain.name or ""
        registrations = set(data["registrations"]) if data["sip_registration"] else set()
        sources = self._networks(domain, data["sources"])
        taken = set()
        for sid in dict.fromkeys([*data["calls"], *data["registrations"]]):
            for credential in self._inside(domain, sid):
                username = str(credential.data["username"])
                a1 = self._reader.a1(credential)
                if username in taken or not a1:
                    continue
                taken.add(username)
                yield self._reader.user(
                    name=f"{username}@{host}" if host else username,
                    domain=host,
                    is_open=domain.account in self._main,
                    may_register=sid in registrations,
                    may_call=sid in data["calls"],
                    sources=sources,
                    srtp="required" if data["secure"] else "accepted",
                    a1=a1,
                )

    def _door_of(self, domain: Document) -> Iterator[HostedTrunk]:
        """Who may call in at the domain by address alone, where no name is asked for."""
        sources = self._networks(domain, domain.data["sources"])
        if sources and not domain.data["calls"] and domain.state != OF_FILE:
            yield HostedTrunk(
                name=domain.sid,
                sources=list(sources),
                domain=domain.name or "",
                is_open=domain.account in self._main,
                srtp="required" if domain.data["secure"] else "accepted",
            )

    def _answered_of(self, domain: Document, users: tuple[HostedUser, ...]) -> Iterator[str]:
        if domain.data["voice_url"] and domain.name:
            yield f"trunk:{domain.sid}"
            yield from (user.name for user in users if user.domain == domain.name)

    # -- trunks

    def _trunks_of(self, trunk: Document) -> Iterator[HostedTrunk]:
        data = trunk.data
        sources = self._networks(trunk, data["sources"])
        logins = {
            str(credential.data["username"]): a1
            for sid in data["lists"]
            for credential in self._inside(trunk, sid)
            if (a1 := self._reader.a1(credential))
        }
        if trunk.name and (sources or logins):
            yield HostedTrunk(
                name=trunk.sid,
                sources=[] if data["lists"] else list(sources),
                callers=sources,
                logins=logins,
                domain=trunk.name,
                is_open=trunk.account in self._main,
                srtp="required" if data["secure"] else "accepted",
            )
        for origin in self._origins(trunk):
            yield HostedTrunk(
                name=origin.sid,
                address=[_address(origin.data["sip_url"], is_secure=data["secure"])],
                srtp="required" if data["secure"] else "accepted",
            )

    def _routes_of(self, trunk: Document, numbers: list[str]) -> Iterator[HostedRoute]:
        steps: list[dict[str, Any]] = []
        by_priority: defaultdict[int, list[Document]] = defaultdict(list)
        for origin in self._origins(trunk):
            by_priority[origin.data["priority"]].append(origin)
        for _, group in sorted(by_priority.items()):
            weights = [origin.data["weight"] for origin in group]
            targets = [f"trunk:{origin.sid}" for origin in group]
            steps.append({"to": targets, "order": "weight", "weights": weights})
        if trunk.data["disaster_recovery_url"]:
            steps.append({"to": [f"app:{RECOVERY}"]})
        for first in range(0, len(numbers), _AT_ONCE):
            names = tuple(
                name
                for number in numbers[first : first + _AT_ONCE]
                for name in dict.fromkeys((number, number.removeprefix("+")))
            )
            for step in steps:
                yield HostedRoute(
                    match=" ".join(names),
                    name=trunk.sid,
                    numbers=names,
                    fall_through=step is not steps[-1],
                    **step,
                )

    def _origins(self, trunk: Document) -> list[Document]:
        return [doc for doc in self._below[trunk.sid] if doc.data["enabled"]]

    # -- lists

    def _inside(self, owner: Document, sid: str) -> list[Document]:
        """What is in a list of the same account."""
        return self._below[sid] if self._lists.get(sid) == owner.account else []

    def _networks(self, owner: Document, lists: list[str]) -> tuple[str, ...]:
        return tuple(
            f"{one.data['ip_address']}/{one.data['cidr_prefix_length']}"
            for sid in lists
            for one in self._inside(owner, sid)
        )


def _address(text: str, *, is_secure: bool) -> str:
    if is_secure and text.startswith("sip:") and "transport=" not in text:
        return f"{text};transport=tls"
    return text
