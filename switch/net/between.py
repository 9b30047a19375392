"""Flows between two workers of one switch: the leg of a call at one of them is that of a call at another.

What is sent so goes over the bus and by no socket: nobody outside can send, or see, any of it.
"""

from __future__ import annotations

from switchroom.protocols.sip.flow import Flow

_LINE = (1 << 40) - 1  # the number that no connection of a worker gets
_PLACE = ("127.0.0.1", 5060)  # what Via, Contact and media need: both are on this machine


def flow_to_worker(slot: int) -> Flow:
    """What a message leaves by that is for the worker itself; reliable, as the bus keeps order."""
    return Flow("TCP", _PLACE, _PLACE, slot << 40 | _LINE)


def is_between_workers(flow: Flow) -> bool:
    """Whether a message came from another worker, as from one end of a call to the other."""
    return flow.connection & _LINE == _LINE
