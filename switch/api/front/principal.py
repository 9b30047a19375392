"""Who asks: an account with its token, or a key with its secret and its scopes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever proved to be somebody."""

    account: str  # whose account
    key: str = ""  # the SID of the key; empty: the token of the account
    scopes: tuple[str, ...] = ("*",)
    is_main: bool = True  # the account has no owner: it may act for its subaccounts

    def may(self, scope: str) -> bool:
        """Whether what needs a scope is allowed; an empty one is for the account's own token."""
        if not self.key:
            return True
        if not scope:
            return "main" in self.scopes
        group, _, verb = scope.partition(":")
        wanted = {"*", "main", scope, f"{group}:*", f"*:{verb}"}
        return not wanted.isdisjoint(self.scopes)
