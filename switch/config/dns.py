"""The ``[dns]`` table: whom to ask for the addresses of names, and how long to believe the answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Strict

from .checks import Count, Number, join_address, split_address
from .sections import Section, key


def _nameserver(text: str) -> str:
    """An address, with or without a port; always written with one."""
    try:
        return join_address(*split_address(text if _has_port(text) else join_address(text, 53)))
    except ValueError:
        raise ValueError(
            "must be ADDRESS or ADDRESS:PORT, such as 192.0.2.53, [2001:db8::53]:53 or 127.0.0.1:5353"
        ) from None


def _has_port(text: str) -> bool:
    return text.startswith("[") or text.count(":") == 1


Nameserver = Annotated[str, Strict(), AfterValidator(_nameserver)]


class DnsConfig(Section):
    """How names are looked up (RFC 3263): calls never wait longer than the budget for it."""

    nameservers: list[Nameserver] = key(
        "Whom to ask, in this order: ADDRESS or ADDRESS:PORT. Empty: those of /etc/resolv.conf.",
        list,
        max_length=8,
    )
    budget: Number = key("The longest that a look-up may take in all.", 2.0, unit="s", ge=0.2, le=10)
    prefer: Literal["ipv4", "ipv6"] = key(
        "Which addresses of a host are tried first, where both have a route.", "ipv4"
    )
    min_ttl: Count = key("An answer is kept at least for this, whatever it says.", 5, unit="s", ge=0, le=300)
    max_ttl: Count = key(
        "An answer is kept at most for this, whatever it says.", 3600, unit="s", ge=10, le=86400
    )
    max_negative_ttl: Count = key(
        "The same for the answer that there is nothing (RFC 2308).", 300, unit="s", ge=1, le=3600
    )
    stale_time: Count = key(
        "How much longer an answer is used while the DNS does not answer (RFC 8767). 0: not at all.",
        86400,
        unit="s",
        ge=0,
        le=604800,
    )
    cache_size: Count = key("Answers that are kept.", 10_000, ge=100, le=1_000_000)
