"""Dial with phones in memory: whoever answers and leaves in one breath has answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.api.sip.room import Nobody
from tests.switch.api.centre import MemoryCentre, MemoryRoom
from tests.switch.api.conftest import WebhookServer, call, make_client, make_config, no_tls
from tests.switch.api.samples import OURS
from tests.switch.calls.script.handset import Handset, apps_of, run, until
from tests.switch.calls.world import World

ANSWERED = {"DialCallStatus": "completed", "DialBridged": "true", "DialCallDuration": "0"}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the client does itself


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_who_answers_and_hangs_up_at_once_has_answered(world: World, tmp_path: Path) -> None:
    """His BYE is there before the program hears that he has answered; the caller's document goes on."""
    a, b = Handset(world, "127.0.0.2"), Handset(world, "127.0.0.3")
    apps, hooks = apps_of(world, tmp_path), WebhookServer()
    config = make_config(tmp_path / "api")
    room = ApiRoom(config, no_tls, cast(Any, MemoryRoom(MemoryCentre())), apps, Nobody())
    dial = "<Dial action='/done'><Sip>sip:desk@127.0.0.3</Sip></Dial>"
    dialled: dict[str, str] = {}

    async def story() -> None:
        await hooks.start()
        await room.start()
        hooks.by_path = {
            "/voice": (200, "text/xml", f"<Response>{dial}</Response>"),
            "/done": (200, "text/xml", "<Response><Redirect>/next</Redirect></Response>"),
        }
        client = make_client("http://" + room.addresses[0].removeprefix("http:"))
        await call(client.incoming_phone_numbers.create, phone_number=OURS, voice_url=f"{hooks.url}/voice")
        a.call(OURS)
        await b.rings()
        b.answer()
        b.hang_up()  # nothing else has run in between
        await a.answered()
        await until(lambda: a.is_over)
        forms = {target: body for _, target, _, body in hooks.requests}
        assert list(forms) == ["/voice", "/done", "/next"]
        dialled.update(parse_qsl(forms["/done"].decode()))
        await room.stop()
        await apps.stop()
        await hooks.stop()

    run(world, story())
    assert {name: dialled[name] for name in ANSWERED} == ANSWERED
    assert (dialled["DialSipCallId"], dialled["DialSipResponseCode"]) == (b.session.call_id, "200")
    assert dialled["CallStatus"] == "in-progress"
    assert not world.exchange.calls
    a.close()
    b.close()
