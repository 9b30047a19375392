"""The JSON of live calls, by the library and by the compiled twin."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchroom.switch.store import _state, state
from tests import twins

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
STATES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.frozensets(st.text() | st.binary() | st.integers())
        | st.dictionaries(st.text(), inner)
    ),
)


@pytest.fixture(params=twins.VARIANTS)
def twin(request: pytest.FixtureRequest) -> ModuleType:
    return twins.load("switchroom.switch.store.state", "_state", request.param)


def test_what_is_read_is_what_was_kept(twin: ModuleType) -> None:
    kept = (
        1,
        ("v=0\r\n", b'a=\xff"\\\0'),
        [None, True, False, -7, 2**70, 0.1],
        frozenset({"x"}),
        "\U0001f600\u20ac\x7f",
    )
    text = twin.encode(kept)
    assert text.isascii()
    assert json.loads(text) == [
        *(1, ["v=0\r\n", 'a=\xff"\\\0'], [None, True, False, -7, 2**70, 0.1], ["x"], "\U0001f600\u20ac\x7f")
    ]


@pytest.mark.parametrize("value", [object(), (1, [object()]), {"x": 3j}])
def test_what_is_no_state_is_refused(twin: ModuleType, value: Any) -> None:
    with pytest.raises(TypeError):
        twin.encode(value)


@settings(deadline=None)
@given(STATES)
def test_both_write_the_same(value: Any) -> None:
    assert _state.encode(value) == state.plain(value)


def test_every_character() -> None:
    for start in range(0, 0x110000, 0x1000):
        value = "".join(map(chr, range(start, start + 0x1000)))
        assert _state.encode([value]) == state.plain([value])
    assert _state.encode(bytes(range(256)) * 3) == state.plain(bytes(range(256)) * 3)


@pytest.mark.parametrize("place", range(9))
def test_every_character_among_others(place: int) -> None:
    """Eight are looked at together."""
    for code in range(256):
        text = "a" * place + chr(code) + "~" * (11 - place)
        assert _state.encode(text) == _state.encode(text.encode("latin-1")) == state.plain(text)
