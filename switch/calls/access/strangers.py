"""Who is not answered at all, when the switch is told to be silent to strangers.

A stranger is whoever sends from an address that is no trunk's and where no phone is registered. Requests
that a new phone has to make, to register or to call at the domain of this switch, are answered even so; a
scanner does not know the domain. Requests in dialogs never come here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from switchroom.protocols import sip


class Strangers:
    """Tells which requests get no answer."""

    def __init__(
        self,
        is_known: Callable[[str], bool],
        is_local: Callable[[str], bool],
        domains: Collection[str],
        scanners: Iterable[str],
    ) -> None:
        """``domains``: what phones are told; without any, each address of this machine will do."""
        self._is_known = is_known
        self._is_local = is_local
        self._domains = domains
        self._scanners = tuple(text.lower() for text in scanners)
        self.ignored = 0

    def is_ignored(self, request: sip.Request, flow: sip.Flow) -> bool:
        """Whether this request is a stranger's that gets no answer."""
        if self._is_known(flow.remote[0]) or not self._is_strange(request):
            return False
        self.ignored += 1
        return True

    def _is_strange(self, request: sip.Request) -> bool:
        if request.method == "OPTIONS" or self._is_scanner(request.get("User-Agent") or ""):
            return True
        host = request.uri.host.strip("[]").lower()
        return host not in self._domains if self._domains else not self._is_local(host)

    def _is_scanner(self, user_agent: str) -> bool:
        agent = user_agent.lower()
        return any(text in agent for text in self._scanners)
