"""What is alive in a running switch, by kind: a leak shows as a number that does not come back."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from switchroom.protocols.sip.client import ClientTransaction, InviteClient
from switchroom.protocols.sip.server import InviteServer, ServerTransaction

_KINDS = (
    (InviteClient, "transactions_invite_client"),
    (InviteServer, "transactions_invite_server"),
    (ClientTransaction, "transactions_client"),
    (ServerTransaction, "transactions_server"),
)


def count(switch: Any) -> dict[str, int]:
    """The numbers. What remembers finished transactions for retransmissions goes after half a minute."""
    endpoint, exchange = switch.endpoint, switch.exchange
    calls = list(exchange.calls.values())
    kinds: Counter[str] = Counter({kind: 0 for _, kind in _KINDS})
    kinds["transactions_remembered"] = 0
    for transaction in (*endpoint.clients.values(), *endpoint.servers.values()):
        name = next((kind for cls, kind in _KINDS if isinstance(transaction, cls)), "transactions_remembered")
        kinds[name] += 1
    return {
        "calls": len(calls),
        "calls_in_setup": exchange.admission.setups,
        "legs": sum(1 + len(call.forks) for call in calls),
        "sessions": endpoint.counters.sessions,
        "dialogs": len(endpoint.sessions),
        "subscriptions": endpoint.counters.subscriptions,
        "publications": len(switch.attendance.presence.statuses),
        "texts": len(switch.attendance.texts),
        **kinds,
        "merges_remembered": len(endpoint.merges),
        "timers": len(endpoint.wheel),
        "media_sessions": switch.media.session_count,
        "media_ports": switch.media.ports_in_use,
        "registrations": switch.registrar.count(),
        "trunk_calls": sum(trunk.calls for trunk in switch.trunks),
        "connections": switch.face.counters.connections,
        "sockets": _sockets(),
        "file_descriptors": len(os.listdir("/proc/self/fd")),
    }


def _sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:
            continue  # the folder's own descriptor
    return found
