"""A session that outlives its process: what has to be known to go on with an answered one (RFC 3261 §12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import LocalProtocolError
from .conversation import Conversation
from .dialog import Dialog
from .flow import Flow
from .headers import NameAddr
from .refresh import Refresh, SessionTiming
from .session import Session, State
from .uri import Uri

if TYPE_CHECKING:
    from .core import Core, Headers
    from .message import Request

CSEQ_GAP = (
    10_000  # more than was sent since the state was taken: numbers must grow, not be complete (§12.2.1.1)
)

# As JSON has it: lists for tuples, texts for octets. The order is that of ``export_session``.
SessionState = tuple[Any, ...]

_CONFIRMED = State.CONFIRMED


def export_session(session: Session) -> SessionState | None:
    """What to keep of an answered session, without a copy of anything; None: it is not, or not any more."""
    dialog = session.dialog
    if dialog is None or session.state is not _CONFIRMED:
        return None
    refresh = session.refresh
    timer = None
    if refresh is not None and refresh.interval:
        timer = (refresh.interval, refresh.is_local, refresh.sent, refresh.heard)
    allowed = session._allowed
    return (
        session.is_caller,
        session.call_id,
        dialog.local,
        dialog.remote,
        dialog.local_tag,
        dialog.remote_tag,
        dialog.target,
        dialog.route_set,
        dialog.local_cseq,
        dialog.remote_cseq,
        session._contact,
        session.flow.fields(),
        session._heard_allow() if allowed is None else allowed,
        timer,
    )


class Survivor(Conversation):
    """A session that was answered before the process began."""

    __slots__ = ()

    def __init__(
        self,
        core: Core,
        state: SessionState,
        now: float,
        *,
        timing: SessionTiming | None = None,
        refresh_in: float = 5.0,
    ) -> None:
        """``refresh_in``: when a session timer that is ours to refresh asks for the other end."""
        is_caller, call_id, local, remote, local_tag, remote_tag, target, routes, *rest = state
        local_cseq, remote_cseq, contact, flow, allowed, timer = rest
        dialog = Dialog(
            call_id,
            local,
            remote,
            (local_tag, remote_tag),
            _uri(target),
            tuple(_name_addr(route) for route in routes),
            (local_cseq + CSEQ_GAP, remote_cseq),
        )
        transport, ours, theirs, _, name = flow  # the connection is gone; another is opened, or comes
        where = Flow(transport, (ours[0], ours[1]), (theirs[0], theirs[1]), 0, name)
        invite = dialog.invite(contact, is_caller=is_caller)
        super().__init__(core, invite, where, contact, (local_tag, remote_tag))
        self.is_caller = is_caller
        self.dialog = dialog
        self._request = None
        self.is_acknowledged = True
        self.state = _CONFIRMED
        self._allowed = frozenset(allowed)
        if timer is not None:
            interval, is_local, sent, heard = timer
            self.refresh = Refresh(self, timing or SessionTiming())
            self.refresh.note(sent=_octets(sent), heard=_octets(heard))
            self.refresh.go_on(interval, is_local=is_local, refresh_in=refresh_in, now=now)

    def _abort(self, status: int, now: float, headers: Headers) -> None:
        raise LocalProtocolError("it is answered")

    def _dialog_of(self, request: Request) -> Dialog | None:
        return self.dialog

    def _dialog_sent(self, request: Request) -> Dialog | None:
        return self.dialog

    def _own_dialog(self, tag: str | None = None) -> Dialog | None:
        return self.dialog


def _uri(state: Any) -> Uri | str:
    """The remote target; an earlier version has kept its fields."""
    return state if isinstance(state, str) else _fields(state)


def _fields(state: Any) -> Uri:
    scheme, user, password, host, port, params, headers = state
    return Uri(scheme, user, password, host, port, _params(params), headers)


def _name_addr(state: Any) -> NameAddr:
    name, uri, params = state
    return NameAddr(name, _fields(uri), _params(params))


def _params(state: Any) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, value) for name, value in state)


def _octets(state: str | bytes) -> bytes:
    return state if isinstance(state, bytes) else state.encode("latin-1")
