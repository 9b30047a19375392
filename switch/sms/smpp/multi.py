"""submit_multi: one message for several receivers, answered once (SMPP 3.4 §4.5)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from switchroom.protocols import smpp
from switchroom.protocols.smpp import Destination, Status, SubmitMulti, SubmitSm, Unsuccessful

from ..interfaces import Refusal, Standing, State, Submission
from .incoming import read_submit_multi
from .line import Line

__all__ = ["Multi", "is_name", "standing_of_all"]

_NAME = re.compile(r"multi-[0-9a-f]{16}")


class Multi:
    """Gathers what became of it for each receiver.

    Its messages share one name, which is the message_id of the answer and of all receipts.
    """

    __slots__ = ("_line", "_request", "_results", "_unsuccessful", "_waiting", "name")

    def __init__(self, line: Line, request: SubmitMulti) -> None:
        self.name = f"multi-{secrets.token_hex(8)}"
        self._line, self._request = line, request
        self._unsuccessful: list[Unsuccessful] = []
        self._waiting: set[str] = set()
        self._results = 0  # how many were accepted

    def submissions(self, inlet: str, posix: float, *, is_latin: bool, now: float) -> list[Submission]:
        """One for each receiver that there can be; without any it is answered at once."""
        request = self._request
        found = []
        for i, to in enumerate(self._receivers()):
            key = f"{self.name}/{i}"
            self._waiting.add(key)
            found.append(
                read_submit_multi(request, to, inlet, posix, is_latin=is_latin, key=key, context=self)
            )
        if not found:
            self._answer(now)
        return found

    def note(self, submission: Submission, result: int | Refusal, now: float) -> None:
        """What became of one of them."""
        self._waiting.discard(submission.key)
        if isinstance(result, int):
            self._results += 1
        else:
            to = self._request.dest_address[int(submission.key.rpartition("/")[2])]
            self._fail(to, result.smpp)
        if not self._waiting:
            self._answer(now)

    def _receivers(self) -> Iterator[Destination]:
        """Those whose address can be one."""
        for to in self._request.dest_address:
            one = SubmitSm(
                dest_addr_ton=to.dest_addr_ton,
                dest_addr_npi=to.dest_addr_npi,
                destination_addr=to.destination_addr,
            )
            if to.dl_name:  # there are no distribution lists
                self._fail(to, Status.RINVDLNAME)
            elif (wrong := smpp.check(one)) is not None:
                self._fail(to, wrong.status)
            else:
                yield to

    def _fail(self, to: Destination, status: int) -> None:
        self._unsuccessful.append(
            Unsuccessful(to.dest_addr_ton, to.dest_addr_npi, to.destination_addr, status)
        )

    def _answer(self, now: float) -> None:
        number = self._request.sequence_number
        answer: Any = smpp.SubmitMultiResp(self.name, tuple(self._unsuccessful), sequence_number=number)
        if not self._results:  # nobody gets it: that is an error of the whole
            status = self._unsuccessful[0].error_status_code if self._unsuccessful else Status.RSUBMITFAIL
            answer = answer._replace(message_id="", status=status)
        self._line.session.answer(answer, now)


def is_name(message_id: str) -> bool:
    """Whether it is what an answer to submit_multi called its messages."""
    return _NAME.fullmatch(message_id) is not None


def standing_of_all(found: Sequence[Standing]) -> Standing:
    """One for all receivers: on its way while one is, then that of the first who did not get it."""
    return min(found, key=_order)._replace(changed_at=max(one.changed_at for one in found))


def _order(standing: Standing) -> int:
    state = standing.state
    return 2 + (state is State.DELIVERED) if state.is_final else int(state is State.SCHEDULED)
