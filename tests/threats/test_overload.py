"""THREATS G9: more calls than can be had: what is up ends, the rest is refused, and it is over soon."""

from __future__ import annotations

from pathlib import Path

from ..peers.answerer import Answerer
from ..peers.harness import wait_until
from ..peers.phone import Dialog, Phone
from ..peers.raw import SilenceError
from .conftest import size
from .test_floods import Flood
from .test_reliability import call, trunked


def is_ended(dialog: Dialog) -> bool:
    """BYE, repeated as a phone does until it is answered (timer E, F)."""
    bye = dialog.request("BYE")
    for pause in (0.5, 1.0, 2.0, 4.0):
        dialog.phone.send(bye)
        answer = dialog.phone.take(
            lambda m: m.status >= 200 and m.method == "BYE" and m.get("call-id") == dialog.call_id, pause
        )
        if answer is not None:
            return answer.status == 200
    return False


class Calls(Flood):
    """Calls of a trunk to a number that is busy: each is taken in, routed and refused by its callee."""

    def _text(self, n: int, port: int) -> bytes:
        return super()._text(n, port).replace(f"sip:{1001 + n % 50}@".encode(), b"sip:800@", 1)


def test_more_calls_than_can_be_had(tmp_path: Path) -> None:
    """G9 (4,000 calls/s for as long as 40 BYEs take; SWITCHROOM_LONG=1: 400): every BYE, recovery.

    How much is carried meanwhile is what ``bench/sip_flood.py`` measures.
    """
    with Answerer() as answerer, Answerer(status=486) as busy:
        switch = trunked(tmp_path, answerer, sip={}, overload={})
        switch.config["sip"] |= {"source_rate": 100_000, "source_burst": 100_000, "total_rate": 2000.0}
        switch.config["overload"] = {}
        switch.config["trunks"].append({"name": "busy", "address": f"sip:127.0.0.1:{busy.address[1]}"})
        switch.config["routes"].append({"match": "8*", "to": "trunk:busy"})
        with switch, Phone(switch.address) as phone:
            up = [dialog for _ in range(size(40, 400)) if (dialog := call(phone)) is not None]
            assert len(up) == size(40, 400)
            with Calls(switch.address, "INVITE", 4000) as flood:
                flood.join(1.0)
                ended = [is_ended(dialog) for dialog in up]
            assert all(ended)
            assert flood.answered > 0

            def works_again() -> bool:
                try:
                    dialog = call(phone)
                except SilenceError:
                    return False
                return dialog is not None and is_ended(dialog)

            wait_until(works_again, 30, "a call")
            wait_until(lambda: switch.status()["calls"] == 0, 40, "the end of the calls of the flood")
