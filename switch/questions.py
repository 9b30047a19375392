"""What an operator asks a switch, and tells it, over the control socket."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from switchroom.switch.calls.script.questions import SoundQuestions
from switchroom.switch.media.quality.summary import row_of
from switchroom.switch.ops import objects, records
from switchroom.switch.ops.control import by_leader
from switchroom.switch.ops.trace import media_trace

if TYPE_CHECKING:
    from switchroom.switch.app import Switch


class Questions:
    """The answers of one switch, as JSON has them; LookupError says what is not there."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch

    def handlers(self) -> dict[str, Any]:
        """What the control socket may be asked; ``by_leader`` goes to one worker, the rest to all."""
        switch = self._switch
        return {
            "status": self.status,
            "registrations": by_leader(lambda: self.registrations()),
            "trunks": by_leader(lambda: switch.trunks.rows(switch.clock.now())),
            "calls": self.calls,
            **switch.attendance.handlers(),
            **{name: by_leader(ask) for name, ask in switch.messages.questions().items()},
            **{name: by_leader(partial(answer)) for name, answer in switch.api.handlers().items()},
            **SoundQuestions(switch.apps).handlers(),
            "hangup": self.hangup,
            "bans": by_leader(lambda: self.bans()),
            "ban": self.ban,
            "unban": self.unban,
            "records": by_leader(lambda limit=20: records.recent(switch.store.records, limit)),
            "record": by_leader(lambda record: records.find(switch.store.records, record)),
            "objects": lambda: objects.count(switch),
            "trace": lambda what="", since=0.0: switch.trace.messages(what, since),
            "media_trace": partial(media_trace, switch.media, switch.clock),
            "drain": lambda: switch.drain(is_draining=True),
            "undrain": lambda: switch.drain(is_draining=False),
        }

    def status(self) -> dict[str, object]:
        """The switch in numbers."""
        switch = self._switch
        now = switch.clock.now()
        return {
            "started_at": switch.started_at.isoformat(),
            "uptime": round((switch.clock.utc(now) - switch.started_at).total_seconds(), 1),
            "listen": [f"{t}:{h}:{p}" for t, h, p in switch.face.bound],
            "api": switch.http.address,
            "registrations": switch.registrar.count(),
            "calls": len(switch.exchange.calls),
            "calls_total": switch.exchange.calls_started,
            "sessions": switch.endpoint.counters.sessions,
            "transactions": switch.endpoint.counters.transactions,
            "media_ports": switch.media.ports_in_use,
            "media_path": switch.media.path,
            "kernel_streams": switch.media.counters()["kernel_streams"],
            "recordings": switch.apps.house.recorder.count,
            "conferences": len(switch.apps.house.conferences.rooms),
            "subscriptions": len(switch.attendance.presence),
            "texts": len(switch.attendance.texts),
            "is_draining": switch.exchange.is_draining,
            "forwarded": switch.bus.counters["forwarded"],
            "loop_lag_max": round(switch.watchdog.max_lag, 4),
        }

    def registrations(self) -> list[dict[str, object]]:
        """Every contact of every user."""
        switch = self._switch
        now = switch.clock.now()
        return [
            {
                "user": b.user,
                "contact": b.contact,
                "source": f"{b.flow.transport.lower()}:{b.flow.remote[0]}:{b.flow.remote[1]}",
                "expires": round(b.expires_at - now),
                "q": b.q,
                "user_agent": b.user_agent,
            }
            for b in switch.registrar.all(now)
        ]

    def calls(self) -> list[dict[str, object]]:
        """The calls in progress."""
        switch = self._switch
        now = switch.clock.now()
        return [
            {
                "id": call.id,
                "caller": call.record.caller,
                "callee": call.record.callee,
                "state": "ringing" if call.answered_at is None else "up",
                "seconds": round(now - (call.setup_at if call.answered_at is None else call.answered_at), 1),
                **row_of(call.media, now),
                "secured": call.media.secured,
            }
            for call in switch.exchange.calls.values()
        ]

    def bans(self) -> list[dict[str, object]]:
        """Who is not listened to."""
        switch = self._switch
        now = switch.clock.now()
        return [
            {"source": ban.source, "reason": ban.reason, "seconds_left": round(ban.until - now)}
            for ban in switch.guard.ban_list.rows(now)
        ]

    def ban(self, source: str, seconds: float) -> dict[str, object]:
        """Listen to a source no more; every worker is asked this."""
        switch = self._switch
        try:
            ban = switch.guard.ban(source, seconds, switch.clock.now())
        except ValueError:
            raise LookupError(f"source: {source}: is no address") from None
        switch.door.log_ban(ban)
        return {"source": ban.source}

    def unban(self, source: str) -> dict[str, object]:
        """Listen to a source again, or to all (""); every worker is asked this."""
        switch = self._switch
        try:
            lifted = switch.guard.lift(source)
        except ValueError:
            raise LookupError(f"source: {source}: is no address") from None
        if source and not lifted:
            raise LookupError(f"source: {source}: is not banned")
        for one in lifted:
            switch.log.info("auth.unbanned", source=one)
        return {"lifted": lifted}

    def hangup(self, call: str) -> dict[str, object]:
        """End a call by its id, or by a beginning of it that only one call has."""
        switch = self._switch
        found = [key for key in switch.exchange.calls if key.startswith(call)] if call else []
        if len(found) != 1:
            raise LookupError(
                f"call: {call}: {'several calls begin so' if found else 'there is no such call'}"
            )
        switch.exchange.calls[found[0]].hang_up("Hung up by the operator", switch.clock.now())
        switch.face.flush()
        return {"id": found[0]}
