"""What the switch's own file has of SIP, as REST shows it: the domain, users, sources, trunks.

It is read here and changed there, with a reload. Only the main account sees it; passwords are never shown.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from switchroom.switch.config import Config, TrunkConfig

from ..wire.errors import ApiError

CLOSED = (
    "This stands in the configuration: [[users]], [[trunks]] and switch.domain are changed there, "
    "then `switchroom reload`"
)


def closed() -> ApiError:
    """What whoever wants to change it is told."""
    return ApiError(20004, CLOSED, headers={"Allow": "GET"})


def sid_of(prefix: str, *names: str) -> str:
    """The SID of something that the file names: the same as long as it has that name."""
    return prefix + hashlib.blake2b("\0".join(names).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Group:
    """A list and what is in it."""

    sid: str
    name: str
    rows: tuple[tuple[str, dict[str, Any]], ...]  # SID and fields


class Filed:
    """The file, with a SID for each thing in it."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def domain(self) -> str:
        """Where phones register."""
        return self.config.switch.domain or "localhost"

    @property
    def domain_sid(self) -> str:
        """As REST knows it."""
        return sid_of("SD", self.domain)

    def groups(self, kind: str) -> list[Group]:
        """All users as one list, or the sources of each trunk as another."""
        return self._users() if kind == "CredentialLists" else self._sources()

    def _users(self) -> list[Group]:
        rows = [(sid_of("CR", user.name), {"username": user.name}) for user in self.config.users]
        return [Group(sid_of("CL", self.domain), self.domain, tuple(rows))]

    def _sources(self) -> list[Group]:
        found = []
        for trunk in self.config.trunks:
            rows = []
            for source in trunk.sources:
                network = ip_network(source)
                shown = {
                    "ip_address": str(network.network_address),
                    "cidr_prefix_length": network.prefixlen,
                }
                rows.append((sid_of("IP", trunk.name, source), {"friendly_name": source, **shown}))
            if rows:
                found.append(Group(sid_of("AL", trunk.name), trunk.name, tuple(rows)))
        return found

    def trunk(self, sid: str) -> TrunkConfig | None:
        """The trunk of a SID."""
        return next((trunk for trunk in self.config.trunks if sid_of("TK", trunk.name) == sid), None)

    def has_user(self, name: str) -> bool:
        """Whether a name or number is a user's."""
        return any(name in (user.name, user.number) for user in self.config.users)

    def has_host(self, host: str) -> bool:
        """Whether the file means somebody by this host."""
        return host == self.config.switch.domain.lower() or any(
            host in (trunk.domain, *(one.host for one in (*trunk.targets, *trunk.proxies)))
            for trunk in self.config.trunks
        )
