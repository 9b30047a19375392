"""What a carrier's command_status means for the next attempt, and what ours means to a carrier."""

from __future__ import annotations

from collections.abc import Iterable

from switchroom.protocols.smpp import Status

from ..interfaces import Fault, Refusal

__all__ = ["fault_of", "faults_of", "status_for_carrier"]

_THROTTLED = (Status.RTHROTTLED, Status.RMSGQFUL)
_TEMPORARY = (
    *(Status.RSYSERR, Status.RSUBMITFAIL, Status.RX_T_APPN, Status.RUNKNOWNERR, Status.RDELIVERYFAILURE),
    *(Status.RSERTYPUNAVAIL, Status.RINVBNDSTS),
)
_ROUTE = (  # nothing is wrong with the message, or not everywhere: another carrier may take it
    *(Status.RINVSRCADR, Status.RINVSRCTON, Status.RINVSRCNPI, Status.RINVSYSTYP, Status.RINVSERTYP),
    *(Status.RSERTYPUNAUTH, Status.RPROHIBITED, Status.RSERTYPDENIED, Status.RINVCMDID, Status.RINVCMDLEN),
    *(Status.RINVESMCLASS, Status.RINVDCS, Status.RINVTLVSTREAM, Status.RTLVNOTALLWD, Status.RINVTLVLEN),
    *(Status.RINVTLVVAL, Status.RMISSINGTLV, Status.RINVREGDLVFLG, Status.RINVPRTFLG, Status.RX_R_APPN),
)
_STANDARD = {
    **dict.fromkeys(map(int, _THROTTLED), Fault.THROTTLED),
    **dict.fromkeys(map(int, _TEMPORARY), Fault.TEMPORARY),
    **dict.fromkeys(map(int, _ROUTE), Fault.ROUTE),
}


def faults_of(temporary: Iterable[str], permanent: Iterable[str]) -> dict[int, Fault]:
    """What is known of each command_status, with what the configuration says of some."""
    faults = dict(_STANDARD)
    faults.update((int(text, 16), Fault.TEMPORARY) for text in temporary)
    faults.update((int(text, 16), Fault.PERMANENT) for text in permanent)
    return faults


def fault_of(status: int, faults: dict[int, Fault]) -> Fault:
    """The meaning of one; what nobody knows is permanent where the standard names it, else temporary."""
    known = faults.get(status)
    if known is not None:
        return known
    return Fault.PERMANENT if status in _NAMED else Fault.TEMPORARY


_NAMED = frozenset(map(int, Status))


def status_for_carrier(refusal: Refusal) -> int:
    """What a carrier hears about a message that we do not take (SMPP 3.4 §5.1.3)."""
    if refusal.smpp in (Status.RTHROTTLED, Status.RMSGQFUL, Status.RSYSERR):
        return Status.RX_T_APPN
    return Status.RX_P_APPN
