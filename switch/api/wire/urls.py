"""Addresses of the web, as they are shown."""

from __future__ import annotations


def shown(url: str) -> str:
    """An address as others may see it: whoever has a password in it keeps that to himself."""
    head, mark, rest = url.partition("//")
    host, slash, path = rest.partition("/")
    return f"{head}{mark}{host.rpartition('@')[2]}{slash}{path}"
