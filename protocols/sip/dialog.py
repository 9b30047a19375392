"""A dialog: what both ends must remember between requests (RFC 3261 §12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .headers import NameAddr
from .message import Request, Response
from .uri import parse_uri

if TYPE_CHECKING:
    from .client import ClientTransaction
    from .core import Headers
    from .update import OfferServer
    from .uri import Uri

MAX_FORWARDS = "70"  # §8.1.1.6


class Dialog:
    """Identifiers, sequence numbers, route set and remote target, and the requests made of them."""

    __slots__ = (
        "asked",
        "call_id",
        "is_agreed",
        "local",
        "local_cseq",
        "local_tag",
        "offered",
        "remote",
        "remote_cseq",
        "remote_tag",
        "route_set",
        "target",
    )

    def __init__(
        self,
        call_id: str,
        local: str,
        remote: str,
        tags: tuple[str, str],
        remote_target: Uri | str,
        route_set: tuple[NameAddr, ...],
        cseqs: tuple[int, int],
    ) -> None:
        self._begin(
            call_id, local, remote, tags[0], tags[1], str(remote_target), route_set, cseqs[0], cseqs[1]
        )

    def _begin(
        self,
        call_id: str,
        local: str,
        remote: str,
        local_tag: str,
        remote_tag: str,
        target: str,
        route_set: tuple[NameAddr, ...],
        local_cseq: int,
        remote_cseq: int,
    ) -> None:
        self.call_id = call_id
        self.local = local  # the header values, tags included
        self.remote = remote
        self.local_tag, self.remote_tag = local_tag, remote_tag
        self.target = target
        self.route_set = route_set
        self.local_cseq, self.remote_cseq = local_cseq, remote_cseq  # 0: none yet
        self.is_agreed = False  # offer and answer of the INVITE were both exchanged before its 2xx
        self.offered: ClientTransaction | None = None  # an UPDATE of ours whose offer is not answered
        self.asked: OfferServer | None = None  # an UPDATE or PRACK whose offer we have not answered

    def share(self, call_id: str, local_tag: str) -> None:
        """Keep one copy of what the other end has said as we did."""
        if self.call_id == call_id and self.local_tag == local_tag:
            self.call_id, self.local_tag = call_id, local_tag

    def succeed(self, early: Dialog) -> None:
        """Go on where the early dialog was; its route set and target are computed again (§13.2.2.4)."""
        self.local_cseq, self.remote_cseq = early.local_cseq, early.remote_cseq
        self.is_agreed, self.offered, self.asked = early.is_agreed, early.offered, early.asked

    def refresh(self, message: Request | Response) -> None:
        """Take a new remote target from a re-INVITE or UPDATE, or from the 2xx to ours (§12.2)."""
        target = message._contact_uri()
        if target is not None:
            self.target = target

    @property
    def remote_target(self) -> Uri:
        """Where its requests go (§12.1.1)."""
        return parse_uri(self.target)

    def next_cseq(self) -> int:
        """The number of the next request but ACK and CANCEL (§12.2.1.1)."""
        self.local_cseq += 1
        return self.local_cseq

    def request(self, method: str, number: int, headers: Headers = (), body: bytes = b"") -> Request:
        """A request to the remote target along the route set (§12.2.1.1), without a Via."""
        uri, routes = self._route()
        request = Request.__new__(Request)
        request._begin(method, uri, body)
        for route in routes:
            request.add("Route", route)
        request.add("Max-Forwards", MAX_FORWARDS)
        request.add("From", self.local)
        request.add("To", self.remote)
        request.add("Call-ID", self.call_id)
        request.add("CSeq", f"{number} {method}")
        request._add_all(headers)
        return request

    def invite(self, contact: str, *, is_caller: bool) -> Request:
        """An INVITE as the one that began the dialog, as far as anybody asks for it afterwards."""
        ends = (self.local, self.remote) if is_caller else (self.remote, self.local)
        number = self.local_cseq if is_caller else self.remote_cseq
        return Request(
            "INVITE",
            self.target,
            [
                ("From", ends[0]),
                ("To", ends[1]),
                ("Call-ID", self.call_id),
                ("CSeq", f"{number} INVITE"),
                ("Contact", contact if is_caller else f"<{self.target}>"),
            ],
        )

    def _route(self) -> tuple[Uri | str, tuple[NameAddr, ...]]:
        """Request-URI and Route values."""
        if not self.route_set:
            return self.target, ()
        first = self.route_set[0].uri
        if first.param("lr") is not None:
            return self.target, self.route_set
        # a strict router of RFC 2543 wants itself in the Request-URI and the target at the end of the list
        uri = first.without_params("method").replace(headers="")  # §19.1.1: neither is allowed there
        return uri, (*self.route_set[1:], NameAddr("", self.remote_target))


def dialog_of_caller(response: Response, fallback: Uri | str) -> Dialog:
    """The dialog that a response makes for whoever sent the INVITE (§12.1.2)."""
    dialog = Dialog.__new__(Dialog)
    dialog._begin(
        response._call_id(),
        response.get("From") or "",
        response.get("To") or "",
        response._from_tag() or "",
        response._to_tag() or "",
        response._contact_uri() or str(fallback),  # a 2xx must have one, but a call is a call
        response._record_routes()[::-1],
        response._number(),
        0,
    )
    return dialog


def dialog_of_callee(request: Request, local_tag: str) -> Dialog:
    """The dialog that a response of ours makes (§12.1.1); the INVITE must have a Contact."""
    target = request._contact_uri()
    assert target is not None  # that was looked at when it came
    dialog = Dialog.__new__(Dialog)
    dialog._begin(
        request._call_id(),
        f"{request.get('To')};tag={local_tag}",
        request.get("From") or "",
        local_tag,
        request._from_tag() or "",
        target,
        request._record_routes(),
        0,
        request._number(),
    )
    return dialog
