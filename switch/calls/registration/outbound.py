"""How a REGISTER came and what it may ask for beyond RFC 3261: outbound (RFC 5626), Path (RFC 3327)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.grammar import split_list
from switchroom.switch.calls.registration.bindings import Binding

FLOW_TIMER = 120  # seconds; how often phones are to show that their flow lives (RFC 5626 §4.4.1)
_MAX_PATHS = 8
_MAX_PATH_SIZE = 1024
_FLOW = re.compile(r'\+sip\.instance="<?([^">]+)>?".*?;reg-id=([0-9]{1,9})(?=;|$)', re.IGNORECASE)
_INSTANCE = re.compile(r'\+sip\.instance="<([A-Za-z0-9:._~+$/&-]+)>"', re.IGNORECASE)

FlowKey = tuple[str, int]


class Way(NamedTuple):
    """The proxies that a REGISTER came through, and the extensions that its sender knows."""

    path: tuple[str, ...] = ()
    extensions: frozenset[str] = frozenset()
    lacks_first_hop: bool = False  # the proxy next to the phone keeps no flow to it (RFC 5626 §6)

    @staticmethod
    def of(request: sip.Request) -> Way:
        """Read it; RemoteProtocolError when the Path is none."""
        extensions = frozenset(name.lower() for name in request.supported)
        path = read_path(request.get_all("Path"))
        has_proxy = len(request.vias) > 1
        is_kept = bool(path) and sip.NameAddr.parse(path[-1]).uri.param("ob") is not None
        return Way(path, extensions, has_proxy and not is_kept)

    @property
    def is_outbound(self) -> bool:
        """Whether the phone keeps its flow alive, and may have several."""
        return "outbound" in self.extensions


def read_path(values: Iterable[str]) -> tuple[str, ...]:
    """The route back to the phone, first hop first; each of its proxies must route loosely."""
    path = tuple(item for value in values for item in split_list(value))
    if len(path) > _MAX_PATHS or sum(map(len, path)) > _MAX_PATH_SIZE:
        raise RemoteProtocolError("Path is too long")
    for item in path:
        uri = sip.NameAddr.parse(item).uri
        if not uri.is_sip or uri.param("lr") is None:
            raise RemoteProtocolError("Path names a hop that is no loose router")
    return path


def flow_key(instance: str) -> FlowKey | None:
    """Which flow of which phone a binding is: the key that replaces the contact (RFC 5626 §6)."""
    if "reg-id" not in instance.lower():
        return None
    match = _FLOW.search(instance)
    return (match[1].lower(), int(match[2])) if match and int(match[2]) else None


def instance_id(instance: str) -> str:
    """The phone's own name, when it can stand in a URI; nothing else is fit for a GRUU."""
    match = _INSTANCE.search(instance) if instance else None
    return match[1].lower() if match else ""


def one_flow_each(bindings: Iterable[Binding]) -> list[Binding]:
    """Of the flows of one phone the newest: it must not ring twice (RFC 5626 §7)."""
    newest: dict[str, Binding] = {}
    found = list(bindings)
    for binding in found:
        key = flow_key(binding.instance)
        if key is not None:
            other = newest.get(key[0])
            if other is None or binding.expires_at >= other.expires_at:
                newest[key[0]] = binding
    return [b for b in found if (key := flow_key(b.instance)) is None or newest[key[0]] is b]
