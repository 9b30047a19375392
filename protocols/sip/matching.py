"""Which transaction a message belongs to, and where its answer goes (RFC 3261 §17.1.3, §17.2.3, §18.2)."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import RemoteProtocolError
from .grammar import split_list
from .head import PlainHead, rest_of_list, typed
from .headers import NameAddr
from .identifiers import MAGIC_COOKIE

_ANSWERED = ("via", "from", "to", "call-id", "cseq")  # §8.2.6.2: what a response repeats


class Matched(PlainHead):
    """A head that says where it belongs."""

    __slots__ = ()

    def _from_tag(self) -> str | None:
        return self.from_.tag

    def _to_tag(self) -> str | None:
        return self.to.tag

    def _call_id(self) -> str:
        return self.call_id

    def _number(self) -> int:
        return self.cseq.number

    def _method_of_number(self) -> str:
        return self.cseq.method

    def _top_branch(self) -> str | None:
        return self._top_via().branch

    def _contact_uri(self) -> str | None:
        contacts = self.contacts
        return str(contacts[0].uri) if contacts else None

    def contact_host(self) -> str | None:
        """The host in the URI of the first Contact; None: there is none, or they are all."""
        contacts = self.contacts
        return contacts[0].uri.host if contacts else None

    def _record_routes(self) -> tuple[NameAddr, ...]:
        return self.record_routes

    def has_contact(self) -> bool:
        """Whether there is a Contact that is an address."""
        return bool(self.contacts)

    def is_sent_by(self, sent_by: str) -> bool:
        """Whether the top Via names this host and port."""
        return self._top_via().sent_by == sent_by

    def transaction_key(self) -> str:
        """What a request and its retransmissions have in common; an ACK has its INVITE's (§17.2.3)."""
        via = self._top_via()
        method = "INVITE" if self.method == "ACK" else self.method
        branch = via.branch
        if branch is not None and branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE):
            return f"{branch} {via.sent_by} {method}"
        # RFC 2543 had no unique branches. The To tag is left out: an ACK's is that of the response
        where = f"{self._from_tag()} {self._call_id()} {self._number()}"
        return f"{self.uri} {where} {via.sent_by} {branch} {method}"

    def merge_key(self) -> str:
        """What two copies of a request have in common that came by different ways (§8.2.2.2)."""
        return f"{self.cseq} {self._call_id()} {self._from_tag()}"

    def stamp(self, source: tuple[str, int]) -> None:
        """Write into the top Via where the request really came from (§18.2.1, RFC 3581 §4)."""
        via = self._top_via().with_source(*source)
        place = self._places("via")[0]
        line = self._text(place)
        self._insert(place, "Via", via, rest_of_list(line) if "," in line else "")
        self._drop([place + 1])

    def reply_port(self) -> int:
        """The port of its source that the answer to a datagram goes to; 0: the one that it came from."""
        via = self._top_via()
        return 0 if via.has_rport else via.port or 5060

    def whose(self, name: str) -> tuple[str, str | None, str]:
        """The scheme, the unescaped user and the host of From or To."""
        uri = (self.from_ if name == "From" else self.to).uri
        return uri.scheme, uri.user_unescaped, uri.host

    def branches(self) -> list[str | None]:
        """The branch of each hop, the last one first; None for one that has none."""
        return [via.branch for via in self.vias]

    def lists(self, name: str, option: str) -> bool:
        """Whether a comma-separated header names this option."""
        values = [typed(name, split_list, self._text(at)) for at in self._places(name)]
        return any(option in value for value in values)

    def _usual_type(self) -> str | None:
        """The body's type/subtype if it is one that is usual; the compiled twin knows some."""
        return None

    def lacks_to_tag(self) -> bool:
        """Whether To wants our tag; one that nobody can read is repeated as it is."""
        try:
            return self._to_tag() is None
        except RemoteProtocolError:
            return False

    def _reply(
        self,
        status: int,
        reason: str,
        to_tag: str | None,
        headers: Iterable[tuple[str, object]],
        body: bytes,
    ) -> bytes:
        """An answer on the wire: what it repeats as it came (§8.2.6.2), and these headers."""
        answer = PlainHead()
        more = "timestamp" if status == 100 else "record-route" if status < 300 else ""  # §8.2.6.1, §12.1.1
        answer._copy(self, (*_ANSWERED, more))
        if to_tag is not None:
            answer._append("to", f";tag={to_tag}")
        answer._add_all(headers)
        answer.body = body
        return answer._pack("SIP/2.0", str(status), reason)
