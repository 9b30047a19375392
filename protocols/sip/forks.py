"""The 2xx of a fork that came second: it gets its ACK, and a BYE (RFC 3261 §13.2.2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .client import NOBODY, ClientTransaction
from .dialog import dialog_of_caller

if TYPE_CHECKING:
    from .core import Core
    from .flow import Flow
    from .message import Response


def note(core: Core, branch: str, tag: str, number: int, now: float) -> None:
    """Remember the last CSeq number of an early dialog, until nobody may answer any more."""
    core.bury_client(f"fork {branch} {tag}", (False, str(number), b""), now + core.timers.timeout)


def refuse(core: Core, branch: str, response: Response, flow: Flow, now: float) -> None:
    """End the dialog that an unwanted 2xx has made; all that it takes is in the 2xx."""
    tag = response.to_tag or ""
    key = f"fork {branch} {tag}"
    known = core.clients.get(key)
    number = 0
    if isinstance(known, tuple):
        if known[2]:
            core.send_again(known[2], flow)
            return
        number = int(known[1])
    if not response.contacts:
        return  # there is no one to send it to
    dialog = dialog_of_caller(response, response.contacts[0].uri)
    core.counters.forks_refused += 1
    invited = dialog.local_cseq
    dialog.local_cseq = max(invited, number)
    ack = core.send_ack(dialog.request("ACK", invited), flow)
    core.bury_client(key, (True, tag, ack), now + core.timers.timeout)
    ClientTransaction(core, dialog.request("BYE", dialog.next_cseq()), flow, now, NOBODY)
