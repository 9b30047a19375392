"""What is known of names by heart is what stands on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from switchroom.switch.store.documents import Document, Library, TakenError


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "api.db")
    library.start()
    yield library
    library.close()


def number(library: Library, sid: str, name: str) -> Document:
    return Document(library.next_seq(), sid, "AC1", "number", 0.0, 0.0, {}, name=name)


async def test_names_come_change_and_go(library: Library) -> None:
    assert library.named("number", "+1") is None
    doc = number(library, "PN1", "+1")
    await library.write([doc])
    for _ in range(2):
        assert library.named("number", "+1") == doc
    assert library.named("service", "+1") is None
    moved = doc.change(1.0, name="+2")
    written = library.begin([moved])
    assert library.named("number", "+1") is None
    assert library.named("number", "+2") == moved
    await written
    assert library.named("number", "+1") is None
    assert library.named("number", "+2") == moved
    gone = library.begin(drops=[moved])
    assert library.named("number", "+2") is None
    await gone
    assert library.named("number", "+2") is None


async def test_a_name_that_was_refused_stays_whose_it_was(library: Library) -> None:
    await library.write([number(library, "PN1", "+1")])
    with pytest.raises(TakenError):
        await library.write([number(library, "PN2", "+1")])
    found = library.named("number", "+1")
    assert found is not None
    assert found.sid == "PN1"


async def test_what_was_purged_has_no_name(library: Library) -> None:
    await library.write([number(library, "PN1", "+1")])
    assert library.named("number", "+1") is not None
    library.purge("number", 1.0)
    await library.write([])
    assert library.named("number", "+1") is None
    assert library.get("number", "PN1", None) is None
