"""Whom REST lets in beside the file: users in domains of their own, trunks, and the numbers of trunks.

They are users, trunks and routes like those of the file, and go the same way into the switch; what is
special about them is that they keep to their domain, unless the main account made them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import Field, SecretStr

from .model import Config
from .routes import RouteConfig
from .trunks import TrunkConfig
from .users import UserConfig

A1 = dict[str, str]  # H(A1) by algorithm: what a password comes down to (RFC 7616 §3.4.2)


class Residence(NamedTuple):
    """Where somebody who is hosted belongs."""

    domain: str
    is_open: bool  # may call whom the routes of the file lead to


class HostedUser(UserConfig):
    """A credential of a domain: NAME@DOMAIN, or NAME where it is the switch's own domain."""

    name: str
    password: SecretStr = SecretStr("")
    domain: str = ""  # empty: the switch's own
    is_open: bool = True
    may_register: bool = True
    may_call: bool = True
    sources: tuple[str, ...] = ()  # the networks that it may call from; empty: any
    a1: A1 = Field(default_factory=dict)

    @property
    def own_number(self) -> str:
        """What phones of the same domain dial."""
        return self.name.partition("@")[0]


class HostedTrunk(TrunkConfig):
    """Who may call in at a domain: by address, or by one of several names."""

    is_open: bool = True
    logins: dict[str, A1] = Field(default_factory=dict)
    callers: tuple[str, ...] = ()  # the networks that those with a name may call from; empty: any


class HostedRoute(RouteConfig):
    """The way to the numbers of a trunk; whoever is hosted may go it."""

    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hosted:
    """All of them, and what the API answers itself."""

    users: tuple[HostedUser, ...] = ()
    trunks: tuple[HostedTrunk, ...] = ()
    routes: tuple[HostedRoute, ...] = ()
    numbers: frozenset[str] = frozenset()  # that programs answer
    sources: Mapping[str, str] = field(default_factory=dict)  # accounts whose calls all go to a program

    def join(self, config: Config) -> Config:
        """The configuration with them; a name that the file has is the file's."""
        if not (self.users or self.trunks):
            return config
        taken = {user.name for user in config.users} | {user.number for user in config.users}
        taken |= {trunk.username_in for trunk in config.trunks}
        users = [*config.users, *(user for user in self.users if user.name not in taken)]
        return config.model_copy(
            update={
                "users": users,
                "trunks": [*config.trunks, *self.trunks],
                "routes": [*self.routes, *config.routes],
            }
        )


def residences(config: Config) -> dict[str, Residence]:
    """Those who are hosted in domains, by their accounts."""
    found = {
        user.name: Residence(user.domain, user.is_open)
        for user in config.users
        if isinstance(user, HostedUser) and user.domain
    }
    return found | {
        f"trunk:{trunk.name}": Residence(trunk.domain, trunk.is_open)
        for trunk in config.trunks
        if isinstance(trunk, HostedTrunk) and not trunk.address
    }


def domains_of(config: Config) -> frozenset[str]:
    """The hosts that phones and trunks may name when they mean this switch."""
    hosts = {user.domain for user in config.users if isinstance(user, HostedUser)}
    hosts |= {one.domain for one in config.trunks if isinstance(one, HostedTrunk) and not one.address}
    return frozenset((hosts | {config.switch.domain.lower()}) - {""})
