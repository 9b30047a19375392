"""Modems in a running switch: messages both ways through the simulator, limits, unplugging, PINs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols.gsm import split
from switchroom.protocols.gsm.tpdu import UserData
from switchroom.switch import Config, Switch
from switchroom.switch.sms.handlers import Incoming
from switchroom.switch.sms.modems.simulator import Journal, Orders, Rule, Sim, Stand

ONE, TWO = "+491700000001", "+491700000002"


class House:
    """A switch with modems at a stand of simulated ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stand = Stand(delay=0.01, seed=1)
        self.orders = Orders(self.stand)
        self.news: list[Journal] = []
        self.stand.on_news = self.news.append
        self.heard: list[Incoming] = []
        self.switch: Switch | None = None

    def add(self, number: str, **options: Any) -> str:
        return self.stand.add(Sim(number, **options), str(self.folder / f"port{number}")).terminal.shown

    async def open(self, *modems: dict[str, Any], **tables: Any) -> Switch:
        values = {"poll_interval": 1.0, "reopen_interval": 0.1, "send_timeout": 5.0, "doubt_timeout": 5.0}
        config = {
            "switch": {"state_dir": str(self.folder / "state")},
            "sip": {"listen": ["udp:127.0.0.1:0"]},
            "api": {"listen": ""},
            "sms": {"reserve": 0, "retry_first": 0.1, "retry_longest": 0.2},
            "sms_routes": [{"name": "all", "match": "*", "to": "modem:a"}],
            "modems": [{**values, **modem} for modem in modems],
            **tables,
        }
        self.switch = Switch(Config.model_validate(config))

        @self.switch.on_message("+491700000*")
        async def hear(message: Incoming) -> None:
            self.heard.append(message)

        await self.switch.start()
        return self.switch

    async def close(self) -> None:
        if self.switch is not None:
            await self.switch.stop()
            self.switch = None

    @property
    def ask(self) -> dict[str, Any]:
        assert self.switch is not None
        return self.switch.messages.questions()

    def row(self, name: str = "a") -> dict[str, Any]:
        return next(row for row in self.ask["modems"]() if row["name"] == name)

    async def ready(self, *names: str) -> None:
        for name in names or ("a",):
            await until(lambda name=name: self.row(name)["state"] == "ready", f"modem {name}")

    async def send(self, text: str, to: str = "+4930123", **options: Any) -> int:
        answer = await self.ask["sms.send"](text, to, **options)
        return int(answer["id"])

    async def state(self, id: int, wanted: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        async def is_so() -> bool:
            found.update(await self.ask["message"](id))
            return found["state"] == wanted

        try:
            await until(is_so, wanted)
        except TimeoutError:
            raise AssertionError(f"not {wanted}: {found}") from None
        return found

    def inject(self, text: str, to: str = ONE, source: str = "+4930123") -> None:
        for part in split(text, reference=7):
            coding = 8 if part.encoding.name == "UCS-2" else 0
            self.stand.network.inject(source, to, UserData.of(part), self.stand.now(), coding)
        self.stand.turn()


async def until(is_so: Callable[[], Any], what: str) -> None:
    async with asyncio.timeout(15):
        while True:
            found = is_so()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.02)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await house.close()
    house.stand.close()


@pytest.mark.parametrize("incoming", ["stored", "direct"])
async def test_messages_both_ways(house: House, incoming: str) -> None:
    await house.open({"name": "a", "port": house.add(ONE), "incoming": incoming})
    await house.ready()
    long = "Ein langer Text, gar nicht kurz. " * 10
    short, unicode, parts = [await house.send(text) for text in ("Grüße", "Привет 😀", long)]
    for id in (short, unicode, parts):
        await house.state(id, "delivered")
    shown = await house.state(parts, "delivered")
    assert shown["parts"] == 3
    assert [entry["state"] for entry in shown["history"]] == ["queued", "sent", "delivered"]
    submitted = [news.text for news in house.news if news.what == "submitted"]
    assert submitted[:2] == ["Grüße", "Привет 😀"]
    assert "".join(submitted[2:]) == long
    house.inject("hello")
    house.inject("жж " * 60, source="Bank")
    await until(lambda: len(house.heard) == 2, "the messages")
    assert {(message.source, message.text) for message in house.heard} == {
        ("+4930123", "hello"),
        ("Bank", "жж " * 60),
    }
    await until(lambda: not house.stand.places[ONE[1:]].device.sim.messages.entries, "their deletion")
    row = house.row()
    assert (row["sent"], row["received"], row["reports"], row["failed"]) == (5, 4, 5, 0)
    assert row["number"] == ONE
    assert row["operator"] == "Switchroom Sim"
    assert await house.ask["sms.receipts"]() == []
    assert house.switch is not None
    page = house.switch.metrics.render().decode()
    assert 'switchroom_modem_up{modem="a"} 1.0' in page
    assert 'switchroom_modem_sent_total{modem="a"} 5.0' in page
    assert 'switchroom_modem_sent_today{modem="a"} 5.0' in page
    assert 'switchroom_modem_signal_dbm{modem="a"} -71.0' in page


async def test_what_the_network_says_becomes_of_messages(house: House) -> None:
    house.stand.network.rules = [
        Rule.parse("491*=fail:1"),
        Rule.parse("492*=status:70"),
        Rule.parse("493*=fail:42"),
        Rule.parse("494*=status:34"),
    ]
    await house.open(
        {"name": "a", "port": house.add(ONE)}, sms={"reserve": 0, "max_attempts": 2, "retry_first": 0.1}
    )
    await house.ready()
    wrong, late, jammed, trying = [await house.send("x", f"+49{n}") for n in range(1, 5)]
    shown = await house.state(wrong, "undeliverable")
    assert shown["reason"] == "+CMS ERROR 1: unassigned number"
    assert (await house.state(late, "expired"))["reason"] == "the next hop says: expired"
    shown = await house.state(jammed, "undeliverable")
    assert shown["attempts"] == 2
    assert "given up (2 attempts): +CMS ERROR 42: congestion" in shown["reason"]
    await until(lambda: house.row()["reports"] == 2, "the report that it is still trying")
    await house.state(trying, "sent")
    shown = await house.state(await house.send("x", "notanumber"), "undeliverable")
    assert "is no number" in shown["reason"]


async def test_a_modem_is_unplugged_and_plugged_in(house: House) -> None:
    await house.open({"name": "a", "port": house.add(ONE)})
    await house.ready()
    house.orders.execute(f"unplug {ONE}")
    await until(lambda: house.row()["state"] == "closed", "the news")
    id = await house.send("while it was away")
    await house.state(id, "queued")
    house.inject("kept by the network")
    house.orders.execute(f"plug {ONE}")
    await house.ready()
    await house.state(id, "delivered")
    await until(lambda: house.row()["port"] and not house.row()["reason"], "no reason any more")


async def test_a_message_without_an_answer_was_sent_if_a_report_says_so(house: House) -> None:
    await house.open({"name": "a", "port": house.add(ONE), "send_timeout": 5.0, "doubt_timeout": 60.0})
    await house.ready()
    device = house.stand.places[ONE[1:]].device
    device.faults.late_hang_rate, device.faults.hang_seconds = 1.0, 1e6
    id = await house.send("once")
    await until(lambda: device.is_hung, "the hanging modem")
    device.faults.late_hang_rate = 0.0
    house.orders.execute(f"unplug {ONE}")
    await until(lambda: house.row()["state"] == "closed", "the news")
    assert (await house.ask["message"](id))["state"] == "sending"
    house.orders.execute(f"plug {ONE}")
    await house.state(id, "delivered")
    assert [news.text for news in house.news if news.what == "submitted"] == ["once"]


async def test_a_pool_and_the_limits_of_its_sims(house: House) -> None:
    modem = {"pool": "office", "per_minute": 3, "per_day": 4}
    modems = [{"name": name, "port": house.add(number), **modem} for name, number in (("a", ONE), ("b", TWO))]
    routes = [{"name": "all", "match": "*", "to": "modem:office"}]
    await house.open(*modems, sms_routes=routes)
    await house.ready("a", "b")
    long = await house.send("Two parts, and both by one SIM. " * 6)
    await house.state(long, "delivered")
    assert len({news.source for news in house.news if news.what == "submitted"}) == 1
    ids = [await house.send(f"short {n}") for n in range(6)]
    await until(lambda: sum(int(house.row(name)["sent"]) for name in "ab") == 6, "three of each")
    await asyncio.sleep(0.1)
    assert {house.row(name)["minute"] for name in "ab"} == {"3/3"}
    states = [(await house.ask["message"](id))["state"] for id in ids]
    assert states.count("queued") == 2
    await house.close()
    await house.open(*modems, sms_routes=routes)  # a restart is no way to send more
    await house.ready("a", "b")
    await asyncio.sleep(0.1)
    assert {house.row(name)["minute"] for name in "ab"} == {"3/3"}
    assert {house.row(name)["day"] for name in "ab"} == {"3/4"}


async def test_a_wrong_pin_goes_to_the_sim_once(house: House) -> None:
    port = house.add(ONE, pin="1234")
    sim = house.stand.places[ONE[1:]].device.sim
    for _ in range(2):
        await house.open({"name": "a", "port": port, "pin": "9999"})
        await until(lambda: house.row()["state"] == "blocked", "the blocked modem")
        assert sim.attempts == 2
        await house.close()
    await house.open({"name": "a", "port": port, "pin": "1234"})
    await house.ready()
    assert sim.attempts == 3
    await house.close()
    house.stand.places[ONE[1:]].device.restart()
    await house.open({"name": "a", "port": port, "pin": "1234"})
    await house.ready()


async def test_a_restart_between_a_message_and_its_report(house: House) -> None:
    house.stand.network.rules = [Rule.parse("4930*=delay:1")]
    port = house.add(ONE)
    await house.open({"name": "a", "port": port})
    await house.ready()
    ids = [await house.send(text) for text in ("first", "second")]
    for id in ids:
        await house.state(id, "sent")
    await house.close()
    await house.open({"name": "a", "port": port})
    for id in ids:
        await house.state(id, "delivered")
    assert await house.ask["sms.receipts"]() == []


async def test_nothing_is_deleted_that_was_not_taken(house: House) -> None:
    modem = {"name": "a", "port": house.add(ONE), "number": "+4999"}
    other = [{"name": "other", "match": "+1*", "to": "modem:a"}]
    switch = await house.open(modem, sms_routes=other)
    await house.ready()
    house.inject("nobody wants it")
    await until(lambda: house.row()["received"] == 1, "the message")
    await asyncio.sleep(0.2)
    assert len(house.stand.places[ONE[1:]].device.sim.messages) == 1
    assert switch.messages.modems is not None
    assert next(iter(switch.messages.modems)).counts["refused"] == 1


async def test_a_code_is_asked(house: House) -> None:
    await house.open({"name": "a", "port": house.add(ONE)})
    with pytest.raises(LookupError, match="modem a: "):
        await house.ask["modems.ussd"]("a", "*100#")
    await house.ready()
    assert await house.ask["modems.ussd"]("a", "*100#") == {"text": "Your balance is 12.34", "is_open": False}
    with pytest.raises(LookupError, match="there is no such modem"):
        await house.ask["modems.ussd"]("b", "*100#")
    with pytest.raises(LookupError, match="is no USSD code"):
        await house.ask["modems.ussd"]("a", 'x"')


async def test_other_modems_after_a_reload(house: House) -> None:
    one, two = house.add(ONE), house.add(TWO)
    switch = await house.open({"name": "a", "port": one})
    await house.ready()
    assert switch.messages.modems is not None
    before = next(iter(switch.messages.modems))
    modems = [{"name": "a", "port": one, "per_day": 5}, {"name": "b", "port": two}]
    values = switch.config.model_dump(exclude={"modems"}, mode="python")
    switch.messages.modems.reconfigure(Config.model_validate({**values, "modems": [
        {**switch.config.modems[0].model_dump(), **modem} for modem in modems]}))  # fmt: skip
    await house.ready("a", "b")
    assert before in list(switch.messages.modems)
    assert house.row("a")["day"] == "0/5"
    switch.messages.modems.reconfigure(Config.model_validate({**values, "modems": [], "sms_routes": []}))
    assert house.ask["modems"]() == []


async def test_an_answer_comes_from_the_sim_that_was_written_to_and_stop_is_for_all(house: House) -> None:
    modems = [
        {"name": name, "port": house.add(number), "pool": "office"}
        for name, number in (("a", ONE), ("b", TWO))
    ]
    routes = [{"name": "all", "match": "*", "to": "modem:office"}]
    sms = {"reserve": 0, "opt_out": True, "stop_reply": "bye"}
    await house.open(*modems, sms_routes=routes, sms=sms)
    await house.ready("a", "b")
    for _ in range(3):
        await house.state(await house.send("x", source=TWO), "delivered")
    assert {news.source for news in house.news if news.what == "submitted"} == {TWO}
    house.inject("STOP", to=TWO)
    await until(lambda: any(news.text == "bye" for news in house.news), "the answer")
    assert next(news.source for news in house.news if news.text == "bye") == TWO
    with pytest.raises(LookupError, match=r"refused: .4930123: wants no messages from"):
        await house.send("x", source=TWO)
    shown = await house.state(await house.send("x", source="Shop"), "undeliverable")  # by whichever SIM
    assert shown["reason"] == f"+4930123: wants no messages from {TWO}"
    await house.state(await house.send("x", "+4930124", source="Shop"), "delivered")


async def test_a_flash_and_a_silent_message(house: House) -> None:
    port = house.add(ONE)
    await house.open({"name": "a", "port": port})
    await house.ready()
    taken: list[tuple[int, int]] = []
    submit = house.stand.network.submit

    def see(source: str, pdu: Any, now: float) -> int:
        taken.append((pdu.data_coding, pdu.protocol_id))
        return submit(source, pdu, now)

    house.stand.network.submit = see  # type: ignore[method-assign,assignment]
    for options in ({"message_class": 0}, {"protocol_id": 0x40}, {"delay": 0.2, "validity": 600.0}):
        await house.state(await house.send("x", **options), "delivered")
    assert taken == [(0x10, 0), (0, 0x40), (0, 0)]


async def test_what_one_sim_cannot_send_another_one_does(house: House) -> None:
    modems = [
        {"name": name, "port": house.add(number), "pool": "office"}
        for name, number in (("a", ONE), ("b", TWO))
    ]
    await house.open(*modems, sms_routes=[{"name": "all", "match": "*", "to": "modem:office"}])
    await house.ready("a", "b")
    submit = house.stand.network.submit

    def barred(source: str, pdu: Any, now: float) -> int:
        return 8 if source == ONE else submit(source, pdu, now)  # operator determined barring

    house.stand.network.submit = barred  # type: ignore[method-assign]
    ids = [await house.send(f"{n}") for n in range(12)]
    for id in ids:
        assert (await house.state(id, "delivered"))["attempts"] == 0
    assert house.row("b")["sent"] == 12
    assert 0 < house.row("a")["failed"] < 8  # it is asked less and less
    shown = await house.state(await house.send("mine", source=ONE), "undeliverable")
    assert "operator determined barring" in shown["reason"]
    house.stand.network.submit = lambda source, pdu, now: 8  # type: ignore[method-assign,assignment]
    shown = await house.state(await house.send("x"), "undeliverable")
    assert "operator determined barring" in shown["reason"]


@pytest.mark.parametrize(("asked", "reports"), [("always", 2), ("asked", 1), ("never", 0)])
async def test_when_the_network_is_asked_for_reports(house: House, asked: str, reports: int) -> None:
    await house.open({"name": "a", "port": house.add(ONE), "status_reports": asked})
    await house.ready()
    wanted, other = await house.send("x"), await house.send("y", wish=0)
    await house.state(wanted, "delivered" if reports else "sent")
    await house.state(other, "sent")
    await asyncio.sleep(0.1)
    assert house.row()["reports"] == reports
    assert await house.ask["sms.receipts"]() == []


async def test_a_clean_stop_sends_nothing_twice(house: House) -> None:
    port = house.add(ONE)
    await house.open({"name": "a", "port": port})
    await house.ready()
    device = house.stand.places[ONE[1:]].device
    device.faults.delay = 0.5
    ids = [await house.send(f"{n}") for n in range(4)]
    await asyncio.sleep(0.2)
    await house.close()
    await house.open({"name": "a", "port": port})
    for id in ids:
        await house.state(id, "delivered")
    assert sorted(news.text for news in house.news if news.what == "submitted") == ["0", "1", "2", "3"]


async def test_a_step_of_the_wall_clock_is_no_new_day(house: House) -> None:
    switch = await house.open({"name": "a", "port": house.add(ONE), "per_day": 2})
    await house.ready()
    for _ in range(2):
        await house.state(await house.send("x"), "delivered")
    switch.clock.wall = lambda: time.time() + 86_400.0
    id = await house.send("tomorrow")
    await asyncio.sleep(0.3)
    assert (await house.state(id, "queued"))["attempts"] == 0
    assert house.row()["day"] == "2/2"
