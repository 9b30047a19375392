"""Where a message came from and goes to."""

from __future__ import annotations

from typing import Any


class Flow:
    """One path between a local and a remote transport address (RFC 5626 §2); it never changes."""

    __slots__ = ("connection", "local", "name", "pile", "remote", "transport")

    def __init__(
        self,
        transport: str,
        local: tuple[str, int],
        remote: tuple[str, int],
        connection: int = 0,
        name: str = "",
    ) -> None:
        self.transport = transport  # "UDP", "TCP", "TLS", "WS" or "WSS", as Via spells it
        self.local = local
        self.remote = remote
        self.connection = connection  # numbers the stream; 0 is UDP, or a connection not opened yet
        self.name = name  # whom the server has to prove to be when we open the connection (RFC 5922)
        self.pile = hash(remote)  # flows of one remote end are few

    @property
    def is_reliable(self) -> bool:
        """Whether the transport retransmits by itself, so that the transactions need not."""
        return self.transport != "UDP"

    @property
    def is_secure(self) -> bool:
        """Whether nobody on the way can read or change what goes this way."""
        return self.transport in ("TLS", "WSS")

    def fields(self) -> tuple[str, tuple[str, int], tuple[str, int], int, str]:
        """What it is made of, as ``Flow`` takes it."""
        return self.transport, self.local, self.remote, self.connection, self.name

    def replace(self, **changes: Any) -> Flow:
        """The same flow but for these fields."""
        names = ("transport", "local", "remote", "connection", "name")
        return Flow(**{**dict(zip(names, self.fields(), strict=True)), **changes})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Flow) and self._is(other)

    def __hash__(self) -> int:
        return self.pile

    def depends_on(self, failed: Flow) -> bool:
        """Whether the failure of that flow is one of this, too."""
        if self.remote != failed.remote or self.transport != failed.transport:
            return False
        return self.connection == failed.connection or not self.connection or not failed.connection

    def _is(self, other: Flow) -> bool:
        return self is other or (
            self.pile == other.pile
            and self.connection == other.connection
            and self.remote == other.remote
            and self.local == other.local
            and self.transport == other.transport
            and self.name == other.name
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Flow, self.fields()

    def __repr__(self) -> str:
        return f"Flow{self.fields()!r}"
