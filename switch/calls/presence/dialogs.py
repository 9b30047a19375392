"""Busy lamps: the calls of each user as dialog-info (RFC 4235).

Call-IDs and tags in it are substitutes: the real ones are all that a request inside a dialog must know, and
whoever lights a lamp by them could hang the call up. ``find`` leads from the substitutes to the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from switchroom.protocols import sip
from switchroom.protocols.sip.packages import dialog_info

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call

Key = tuple[str, str]  # topic, id of the dialog


class Calls(Protocol):
    """Where the calls are: the exchange."""

    calls: dict[str, Call]
    on_call_state: list[Callable[[Call, float], None]]


class Dialogs:
    """Follows the calls, but only while somebody watches: calls pay nothing for lamps that nobody has."""

    event = dialog_info.EVENT
    content_type = dialog_info.CONTENT_TYPE
    is_private = False

    def __init__(self, mint: sip.Mint, domain: Callable[[], str]) -> None:
        self._mint, self._domain = mint, domain
        self._by_topic: dict[str, dict[str, dialog_info.Dialog]] = {}
        self._last: dict[str, dialog_info.Dialog] = {}  # what ended last: phones want to hear "terminated"
        self._by_call: dict[str, dict[Key, dialog_info.Dialog]] = {}
        self._calls: Calls | None = None
        self.is_watched = False
        self.shows_parties = True
        self.on_change: Callable[[str, float], None] = lambda topic, now: None
        self.share: Callable[[str], None] | None = None  # told what other workers should know of
        self._others: dict[
            int, dict[str, tuple[tuple[dialog_info.Dialog, ...], dialog_info.Dialog | None]]
        ] = {}

    def document(self, topic: str, entity: str, version: int, now: float) -> bytes:
        """The user's calls."""
        dialogs = self._all(topic)
        if not dialogs:
            ended = [
                self._last.get(topic),
                *[states[topic][1] for states in self._others.values() if topic in states],
            ]
            dialogs = [one for one in ended if one is not None][:1]
        if not self.shows_parties:
            dialogs = [replace(dialog, local=None, remote=None) for dialog in dialogs]
        return bytes(dialog_info.DialogInfo(entity, version, tuple(dialogs)))

    def is_talking(self, topic: str) -> bool:
        """Whether the user has a call that was answered."""
        return any(dialog.state == "confirmed" for dialog in self._all(topic))

    def _all(self, topic: str) -> list[dialog_info.Dialog]:
        dialogs = list(self._by_topic.get(topic, {}).values())
        for states in self._others.values():
            dialogs += states.get(topic, ((), None))[0]
        return dialogs

    def _tell(self, topic: str, now: float) -> None:
        self.on_change(topic, now)
        if self.share is not None:
            self.share(topic)

    # -- other workers

    def topics(self) -> list[str]:
        """The users who have calls here."""
        return list(self._by_topic)

    def own(self, topic: str) -> tuple[tuple[dialog_info.Dialog, ...], dialog_info.Dialog | None]:
        """The user's calls here, and the one that ended last."""
        return tuple(self._by_topic.get(topic, {}).values()), self._last.get(topic)

    def learn(
        self,
        slot: int,
        topic: str,
        dialogs: tuple[dialog_info.Dialog, ...],
        last: dialog_info.Dialog | None,
        now: float,
    ) -> None:
        """Another worker tells of the user's calls there."""
        self._others.setdefault(slot, {})[topic] = dialogs, last
        self.on_change(topic, now)

    def forget_worker(self, slot: int, now: float) -> None:
        """Another worker died, and its calls with it."""
        for topic, (dialogs, _) in self._others.pop(slot, {}).items():
            if dialogs:
                self.on_change(topic, now)

    # -- dialogs that come and go

    def put(self, topic: str, dialog: dialog_info.Dialog, now: float) -> None:
        """A dialog is there, or another than it was; for what is no call too, such as a parking slot."""
        self._by_topic.setdefault(topic, {})[dialog.id] = dialog
        self._tell(topic, now)

    def drop(self, topic: str, id: str, now: float) -> None:
        """A dialog is over."""
        dialogs = self._by_topic.get(topic, {})
        gone = dialogs.pop(id, None)
        if gone is None:
            return
        self._last[topic] = replace(gone, state="terminated")
        if not dialogs:
            del self._by_topic[topic]
        self._tell(topic, now)

    # -- the calls of the exchange

    def watch(self, calls: Calls, now: float) -> None:
        """Begin to follow the calls: somebody wants to know."""
        if not self.is_watched:
            self.is_watched = True
            self._calls = calls
            calls.on_call_state.append(self.on_call)
            for call in list(calls.calls.values()):
                self.on_call(call, now)

    def unwatch(self) -> None:
        """Follow them no more."""
        if self.is_watched and self._calls is not None:
            self.is_watched = False
            self._calls.on_call_state.remove(self.on_call)
            for known in self._by_call.values():
                for topic, id in known:
                    dialogs = self._by_topic.get(topic, {})
                    dialogs.pop(id, None)
                    if not dialogs:
                        self._by_topic.pop(topic, None)
            self._by_call.clear()
            self._last.clear()

    def on_call(self, call: Call, now: float) -> None:
        """A call began, rang, was answered, changed its legs, or ended."""
        before = self._by_call.get(call.id, {})
        after = {} if call.is_over else {(topic, one.id): one for topic, one in self._read(call)}
        if after:
            self._by_call[call.id] = after
        else:
            self._by_call.pop(call.id, None)
        for topic, id in before.keys() - after.keys():
            self.drop(topic, id, now)
        for (topic, id), dialog in after.items():
            if before.get((topic, id)) != dialog:
                self.put(topic, dialog, now)

    def _read(self, call: Call) -> Iterable[tuple[str, dialog_info.Dialog]]:
        """The dialogs of those in the call who are users here."""
        record = call.record
        domain = self._domain()
        parties = {
            is_caller: dialog_info.Party(f"sip:{sip.escape_user(number)}@{domain}")
            for is_caller, number in ((True, record.caller), (False, record.callee))
        }
        state = "confirmed" if call.answered_at is not None else "early" if call.rung else "trying"
        if _is_user(call.a.account):
            yield call.a.account, self._dialog(call.id, "a", state, parties)
        ringing = "confirmed" if call.answered_at is not None else "early"
        seen = set[str]()
        for leg in call.forks:
            if leg.account not in seen and not leg.is_failed and _is_user(leg.account):
                seen.add(leg.account)  # several phones of one user are one lamp
                yield leg.account, self._dialog(call.id, f"b{leg.account}", ringing, parties)

    def _dialog(
        self, call: str, side: str, state: str, parties: Mapping[bool, dialog_info.Party]
    ) -> dialog_info.Dialog:
        is_caller = side == "a"
        return dialog_info.Dialog(
            self._mint.tag_for(f"lamp {call} {side}"),
            state,
            "initiator" if is_caller else "recipient",
            self._mint.tag_for(f"lamp call {call} {side}"),
            self._mint.tag_for(f"lamp local {call} {side}"),
            self._mint.tag_for(f"lamp remote {call} {side}"),
            parties[is_caller],
            parties[not is_caller],
        )

    def find(self, call_id: str, to_tag: str, from_tag: str) -> tuple[Call, str] | None:
        """The call, and the user in it, that Replaces names by what a lamp was shown (RFC 3891)."""
        for id, known in self._by_call.items():
            for (topic, _), dialog in known.items():
                tags = {dialog.local_tag, dialog.remote_tag}
                if dialog.call_id == call_id and {to_tag, from_tag} == tags and self._calls is not None:
                    call = self._calls.calls.get(id)
                    return None if call is None else (call, topic)
        return None


def _is_user(account: str) -> bool:
    return bool(account) and not account.startswith("trunk:")
