"""The message room in a running switch: handlers, the operator's questions, another life."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switchroom.switch import Config, Switch
from switchroom.switch.sms.handlers import Incoming, RefusedError
from switchroom.switch.sms.interfaces import BLOCKED, Refusal, Submission


def config(folder: Path, **tables: Any) -> Config:
    return Config.model_validate(
        {
            "switch": {"state_dir": str(folder / "state")},
            "sip": {"listen": ["udp:127.0.0.1:0"]},
            "api": {"listen": ""},
            "sms": {"reserve": 0, "retry_first": 0.05, "retry_longest": 0.1},
            "users": [{"name": "alice", "password": "x" * 12, "number": "200"}],
            **tables,
        }
    )


async def until(is_so: Callable[[], Any], what: str) -> Any:
    async with asyncio.timeout(10):
        while True:
            found = is_so()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.01)


async def test_a_handler_gets_a_message_and_answers_it(tmp_path: Path) -> None:
    switch = Switch(config(tmp_path))
    heard: list[str] = []

    @switch.on_message("+4930*")
    async def echo(message: Incoming) -> None:
        heard.append(f"{message.source} {message.text}")
        await message.reply(message.text.upper())

    async with switch:
        ask = switch.messages.questions()
        sent = await ask["sms.send"]("grüße", "+49301", source="200")
        await until(lambda: heard, "the handler")
        assert heard == ["200 grüße"]
        rows = await until(lambda: _with_state(ask, "sent"), "the answer, kept for the user's phone")
        assert [(row["from"], row["to"], row["outlet"]) for row in rows] == [("+49301", "200", "user:alice")]
        shown = await ask["message"](sent["id"])
        assert shown["state"] == "delivered"
        assert [entry["state"] for entry in shown["history"]] == ["queued", "delivered"]
        assert shown["text"] == "grüße"
        assert (await ask["message"](rows[0]["id"]))["text"] == "GRÜSSE"
        page = switch.metrics.render().decode()
        assert "switchroom_sms_accepted_total 2.0" in page
        assert "switchroom_sms_delivered_total 1.0" in page
        assert 'switchroom_sms_delivery_seconds_bucket{le="+Inf"} 1.0' in page


async def _with_state(ask: dict[str, Any], state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await ask["messages"](state=state)
    return found


async def test_a_handler_that_fails_is_tried_again(tmp_path: Path) -> None:
    switch = Switch(config(tmp_path))
    tries: list[int] = []

    @switch.on_message("*")
    async def fail_twice(message: Incoming) -> None:
        tries.append(message.id)
        if len(tries) < 3:
            raise ValueError("not yet")

    async with switch:
        id = await switch.messages.sender("x", "+49301")
        await until(lambda: len(tries) == 3, "three tries")
        assert tries == [id] * 3
        await until(lambda: _with_state(switch.messages.questions(), "delivered"), "the end")


async def test_what_waits_is_there_in_the_next_life_and_goes_by_its_routes(tmp_path: Path) -> None:
    away = [{"name": "out", "to": "api:away"}]
    async with Switch(config(tmp_path, sms_routes=away)) as switch:
        ids = [await switch.messages.sender(f"{n}", "+33612") for n in range(3)]
        with pytest.raises(RefusedError, match="destination"):
            await switch.messages.sender("x", "")
    async with Switch(config(tmp_path, sms_routes=away)) as switch:
        ask = switch.messages.questions()
        assert [row["id"] for row in await ask["messages"](state="queued")] == ids
        assert [row["waiting"] for row in ask["sms.ways"]() if row["outlet"] == "api:away"] == [3]
        assert (await ask["sms.cancel"](ids[0]))["state"] == "deleted"
        with pytest.raises(LookupError, match="deleted"):
            await ask["sms.cancel"](ids[0])
    switch = Switch(config(tmp_path, sms_routes=[{"name": "out", "to": "app"}]))
    got: list[int] = []

    @switch.on_message("+33612")
    async def handler(message: Incoming) -> None:
        got.append(message.id)

    async with switch:
        await until(lambda: len(got) == 2, "the two that are left")
        assert got == ids[1:]


async def test_a_switch_that_needs_no_centre_has_none(tmp_path: Path) -> None:
    async with Switch(config(tmp_path)) as switch:
        assert not switch.messages.is_open
        assert not (tmp_path / "state" / "messages.db").exists()
        with pytest.raises(LookupError, match="no message centre"):
            await switch.messages.questions()["messages"]()


async def test_what_is_done_with_is_a_line_too(tmp_path: Path) -> None:
    switch = Switch(config(tmp_path, sms={"reserve": 0, "record_lines": True}))

    @switch.on_message("+4930*")
    async def take(message: Incoming) -> None:
        return

    async with switch:
        sent = await switch.messages.questions()["sms.send"]("secret", "+49301", source="200")
        file = tmp_path / "state" / "messages.jsonl"
        line = await until(lambda: file.exists() and file.read_text(), "the line")
        page = switch.metrics.render().decode()
    assert 'switchroom_sms_outcomes_total{outlet="app",state="delivered"} 1.0' in page
    fields = json.loads(line)
    assert (fields["id"], fields["state"], fields["outlet"]) == (str(sent["id"]), "delivered", "app")
    assert (fields["from"], fields["to"], fields["octets"]) == ("200", "+49301", 6)
    assert "secret" not in line


async def test_a_message_that_is_refused_is_one_clear_line(tmp_path: Path) -> None:
    async with Switch(config(tmp_path, sms={"reserve": 0, "enabled": True})) as switch:
        with pytest.raises(LookupError, match=r"refused: .4930: no route takes it"):
            await switch.messages.questions()["sms.send"]("x", "+4930")


async def test_a_program_looks_at_each_message_first(tmp_path: Path) -> None:
    switch = Switch(config(tmp_path, sms={"reserve": 0, "enabled": True}))
    seen: list[str] = []

    @switch.messages.intercept
    def look(submission: Submission) -> Submission | Refusal | None:
        seen.append(submission.body.decode())
        if submission.body == b"bad":
            return BLOCKED.saying("not by us")
        if submission.body == b"worse":
            raise ValueError("oops")
        return submission._replace(body=b"better")

    async with switch:
        ask = switch.messages.questions()
        sent = await ask["sms.send"]("good", "200", source="+4930")
        assert (await ask["message"](sent["id"]))["text"] == "better"
        for text, why in (("bad", "refused: not by us"), ("worse", "refused: a hook failed")):
            with pytest.raises(LookupError, match=why):
                await ask["sms.send"](text, "200", source="+4930")
    assert seen == ["good", "bad", "worse"]


async def test_an_operator_changes_the_list_of_a_sender(tmp_path: Path) -> None:
    sms = {"reserve": 0, "enabled": True, "opt_out": True, "country": "DE"}
    async with Switch(config(tmp_path, sms=sms)) as switch:
        ask = switch.messages.questions()
        assert ask["sms.optouts"]("Shop", add="0170 1234567") == [
            {"sender": "Shop", "number": "+491701234567"}
        ]
        with pytest.raises(LookupError, match="wants no messages from Shop"):
            await ask["sms.send"]("x", "+491701234567", source="Shop")
        assert ask["sms.optouts"]("Shop", remove="+491701234567") == []
