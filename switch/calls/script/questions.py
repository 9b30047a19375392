"""What an operator asks of recordings and conferences, and tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .seat import CallEnded

if TYPE_CHECKING:
    from switchroom.switch.media.recorder import Recording

    from .apps import Apps
    from .conference import Member

_STEPS = {"pause": "paused", "resume": "recording", "stop": "stopped"}
_DEEDS = ("mute", "unmute", "hold", "unhold", "kick")


class SoundQuestions:
    """The answers, as JSON has them; LookupError says what is not there."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps

    def handlers(self) -> dict[str, Any]:
        """What the control socket may be asked."""
        return {
            "recordings": self.recordings,
            "recording": self.recording,
            "conferences": self.conferences,
            "member": self.member,
        }

    def recordings(self) -> list[dict[str, object]]:
        """Those that go on."""
        return [_row(one) for one in self._apps.house.recorder.running]

    def recording(self, call: str, step: str) -> list[dict[str, object]]:
        """Begin a recording of a call; pause, resume or stop all those of a call or a conference."""
        if step == "start":
            return [_row(self._start(call))]
        if step not in _STEPS:
            raise LookupError(f"{step}: must be start, pause, resume or stop")
        running = self._apps.house.recorder.running
        owner = _only({one.owner: None for one in running}, call)
        found = [one for one in running if one.owner == owner]
        for one in found:
            getattr(one, step)()
        return [_row(one) | {"state": _STEPS[step]} for one in found]

    def _start(self, begin: str) -> Recording:
        apps = self._apps
        calls = apps.house.exchange.calls
        call = calls[_only(calls, begin)]
        try:
            if call.id in apps.calls:
                return apps.calls[call.id].start_recording(sides=apps.house.config.recording_sides)
            return apps.recordings.start(call)
        except (OSError, CallEnded) as error:
            raise LookupError(str(error)) from None

    def conferences(self) -> list[dict[str, object]]:
        """All members of all rooms."""
        rooms = self._apps.house.conferences.rooms.values()
        return [
            {
                "conference": room.name,
                "call": member.party.call_id,
                "account": member.party.account,
                "state": _state(member),
                "speaks": room.speaker is member,
                "codec": member.party.codec,
            }
            for room in rooms
            for member in room.members
        ]

    def member(self, call: str, deed: str) -> list[dict[str, object]]:
        """Do something to a member, known by its call."""
        if deed not in _DEEDS:
            raise LookupError(f"{deed}: must be {', '.join(_DEEDS)}")
        rooms = self._apps.house.conferences.rooms.values()
        members = {member.party.call_id: member for room in rooms for member in room.members}
        member = members[_only(members, call)]
        if deed == "kick":
            member.kick()
        else:
            getattr(member, deed.removeprefix("un"))(not deed.startswith("un"))
        return [{"call": member.party.call_id, "state": "kicked" if deed == "kick" else _state(member)}]


def _only(found: dict[str, Any], begin: str) -> str:
    keys = [key for key in found if key.startswith(begin)] if begin else []
    if len(keys) != 1:
        raise LookupError(f"{begin}: {'several begin so' if keys else 'there is none'}")
    return keys[0]


def _row(one: Recording) -> dict[str, object]:
    state = "paused" if one.is_paused else "recording"
    return {
        "call": one.owner,
        "path": str(one.path),
        "sides": one.sides,
        "seconds": round(one.seconds, 1),
        "state": state,
    }


def _state(member: Member) -> str:
    if member.is_held:
        return "held"
    return "coaches" if member.coached is not None else "muted" if member.is_muted else "talks"
