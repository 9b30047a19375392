"""Whose webhook is next, and what is held in memory of those that wait."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.api.webhooks.courier import Letter
from switchroom.switch.api.webhooks.waiting import Waiting
from switchroom.switch.store.documents import Document

from .conftest import SID, WebhookServer, call, make_config


def letter(seq: int, account: str, resource: str) -> Document:
    return Document(seq, f"WD{seq}", account, "delivery", 0.0, 0.0, {}, parent=resource, state="pending")


def test_accounts_take_turns_and_none_has_more_than_its_share() -> None:
    waiting = Waiting(lambda: 2, lambda: 100)
    for n in range(5):
        waiting.add(letter(n, "A", f"r{n}"))
    waiting.add(letter(9, "B", "r"))
    taken = [waiting.take() for _ in range(4)]
    assert taken == [("A", "r0"), ("B", "r"), ("A", "r1"), None]
    assert len(waiting) == 6
    waiting.drop(("A", "r0"))
    waiting.give_back(("A", "r0"), is_later=False)
    assert waiting.take() == ("A", "r2")


def test_letters_of_a_resource_go_one_after_the_other() -> None:
    waiting = Waiting(lambda: 9, lambda: 100)
    for n in range(2):
        waiting.add(letter(n, "A", "r"))
    key = waiting.take()
    assert key is not None
    assert waiting.take() is None
    waiting.give_back(key, is_later=True)  # it is tried again later
    assert waiting.take() is None
    waiting.wake(key)
    assert waiting.take() == key
    assert waiting.first(key).seq == 0
    waiting.drop(key)
    waiting.give_back(key, is_later=False)
    assert waiting.take() == key
    assert waiting.first(key).seq == 1


def test_what_there_is_no_room_for_stays_on_the_disk_in_its_order() -> None:
    waiting = Waiting(lambda: 9, lambda: 2)
    disk = [letter(n, "A", "r") for n in range(5)]
    for doc in disk:
        waiting.add(doc)
    assert (len(waiting), waiting.left_from, waiting.has_room) == (2, 2, False)
    order = []
    while key := waiting.take():
        order.append(waiting.first(key).seq)
        waiting.drop(key)
        waiting.give_back(key, is_later=False)
        if waiting.has_room:
            left = [doc for doc in disk if doc.seq >= (waiting.left_from or 0)][:2]
            waiting.refill(left, is_all=len(left) < 2)
    assert order == [0, 1, 2, 3, 4]
    assert waiting.left_from is None


async def test_a_server_that_hangs_holds_up_only_its_own_account(
    client: Any, room: ApiRoom, hooks: WebhookServer, tmp_path: Path
) -> None:
    """THREATS F: slow webhooks."""
    sub = await call(client.api.accounts.create, friendly_name="slow")
    courier = room.house.courier
    courier.config = make_config(tmp_path, max_webhooks=4).api
    held: list[asyncio.StreamWriter] = []

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    slow = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    docs = [courier.make(Letter(sub.sid, f"SM{n}", "status", slow, [])) for n in range(20)]
    await room.house.library.write(docs)
    courier.post_all(docs)
    mine = courier.make(Letter(SID, "SM", "status", hooks.url + "/mine", []))
    await room.house.library.write([mine])
    courier.post(mine)
    await hooks.wait_for(1)
    assert len(held) <= 2
    server.close()
    for writer in held:
        writer.close()


async def test_many_that_wait_are_all_delivered_in_order(
    room: ApiRoom, hooks: WebhookServer, tmp_path: Path
) -> None:
    courier = room.house.courier
    courier.config = make_config(tmp_path, held_webhooks=100).api
    docs = [
        courier.make(Letter(SID, f"SM{n % 3}", "status", hooks.url + "/s", [("N", str(n))]))
        for n in range(350)
    ]
    await room.house.library.write(docs)
    courier.post_all(docs)
    assert courier.waiting_count == 100
    await hooks.wait_for(350)
    told = [int(body.removeprefix(b"N=")) for _, _, _, body in hooks.requests]
    assert sorted(told) == list(range(350))
    for n in range(3):
        of_one = [number for number in told if number % 3 == n]
        assert of_one == sorted(of_one)
