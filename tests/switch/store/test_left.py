"""What a crash leaves open is offered to the next process, as it was kept, if it is not too old."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchroom.switch.store import Record, SqliteStore

NOW = 1_779_019_200.0  # 2026-05-17 12:00 UTC
STATE = (1, ("media", b"v=0\r\n\xe4", [40000]), frozenset(("BYE",)), None)
AS_JSON = [1, ["media", "v=0\r\n\xe4", [40000]], ["BYE"], None]


def open_store(folder: Path, place: tuple[int, int] | None = None) -> SqliteStore:
    return SqliteStore(folder / "switchroom.db", place=place)


async def leave(folder: Path, alive_at: float, place: tuple[int, int] | None = None) -> Record:
    """A call that is up when its process dies: here it just stops."""
    record = Record(setup_at=NOW - 100, call_id_a="a", caller="1001", state=STATE)
    record.answer_at = NOW - 90
    with open_store(folder, place) as store:
        store.records.answered(record)
        store.records.heartbeat(alive_at)
        await store.flush()
    return record


async def test_it_is_offered_as_it_was_kept_and_stays_open(tmp_path: Path) -> None:
    left = await leave(tmp_path, NOW - 5)
    offers: list[tuple[object, ...]] = []

    def restore(*offer: object) -> bool:
        offers.append(offer)
        return True

    with open_store(tmp_path) as store:
        assert store.records.recover(NOW, restore=restore) == 0
        await store.flush()
        assert await store.records.recent() == []
    [(record, state, slot, alive_at)] = offers
    assert isinstance(record, Record)
    assert (record.id, record.answer_at, record.caller) == (left.id, left.answer_at, "1001")
    assert (state, slot, alive_at) == (AS_JSON, 0, NOW - 5)
    with open_store(tmp_path) as store:  # nobody said that it ended: it is offered again
        assert store.records.recover(NOW + 1, restore=restore) == 0
    assert len(offers) == 2


@pytest.mark.parametrize("why", ["too old", "refused", "not asked for", "without a state"])
async def test_what_nobody_goes_on_with_is_closed(tmp_path: Path, why: str) -> None:
    left = await leave(tmp_path, NOW - (61 if why == "too old" else 5))
    if why == "without a state":
        with open_store(tmp_path) as store:
            left.state = None
            store.records.answered(left)
            await store.flush()
    with open_store(tmp_path) as store:
        restore = None if why == "not asked for" else lambda *offer: why != "refused"
        assert store.records.recover(NOW, restore=restore) == 1
        await store.flush()
        [record] = await store.records.recent()
    assert (record.id, record.cause, record.reason) == (left.id, 500, "crash")


async def test_a_worker_is_offered_its_own(tmp_path: Path) -> None:
    await leave(tmp_path, NOW, (1, 4))
    slots: list[int] = []

    def restore(*offer: object) -> bool:
        slots.append(int(str(offer[2])))
        return True

    for slot in (0, 1):
        with open_store(tmp_path, (slot, 5)) as store:
            assert store.records.recover(NOW, died_at=NOW, restore=restore) == 0
    assert slots == [1]


def test_a_switch_knows_its_lives_apart_and_its_secret_again(tmp_path: Path) -> None:
    lives = []
    for _ in range(3):
        with open_store(tmp_path) as store:
            lives.append(store.identity())
    assert [life for life, _ in lives] == [1, 2, 3]
    assert len({secret for _, secret in lives}) == 1
    assert len(lives[0][1]) == 32
    assert (tmp_path / "switchroom.db").stat().st_mode & 0o777 == 0o600
