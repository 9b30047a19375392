"""PDUs for the tests: one of each command with every field filled, and any that the standard allows."""

from __future__ import annotations

import functools
import importlib.util
import sys
from types import ModuleType
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from switchroom.protocols.smpp import Destination, Pdu, Tag, Unsuccessful
from switchroom.protocols.smpp.layout import (
    COMMANDS,
    DESTINATIONS,
    INTEGER,
    LAYOUTS,
    MESSAGE,
    TEXT,
    Field,
)
from tests import twins

CLASSES = tuple(COMMANDS)
CODEC = "switchroom.protocols.smpp.codec"


@functools.cache
def plain_codec() -> ModuleType:
    """codec.py as if its compiled part had never been built; the classes of the PDUs stay the same ones."""
    spec = importlib.util.find_spec(CODEC)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {CODEC.replace("codec", "_codec"): None}):
        spec.loader.exec_module(module)
    return module


def codec(variant: str) -> ModuleType:
    """One of ``twins.VARIANTS``."""
    return plain_codec() if variant == "plain" else twins.load_compiled(CODEC, "_codec")


def filled(pdu: type[Pdu], number: int = 7) -> Pdu:
    """This PDU with something of its own in each field, so that two fields exchanged are seen."""
    layout = LAYOUTS[COMMANDS[pdu]]
    values = [_filling(field, i) for i, field in enumerate(layout.fields)]
    tlvs = (((Tag.USER_MESSAGE_REFERENCE, b"\x01\x02"), (0x1400, b"vendor")),) if layout.has_tlvs else ()
    return layout.pdu(*values, *tlvs, 0, number)


def _filling(field: Field, i: int) -> Any:
    if field.kind == INTEGER:
        return i + 1
    if field.kind == TEXT:
        return f"{i:x}{field.name}"[: min(field.size, 9) - 1]
    if field.kind == MESSAGE:
        return b"hello \x00\xff"
    if field.kind == DESTINATIONS:
        return (Destination(1, 2, "4915100001"), Destination(dl_name="staff"))
    return (Unsuccessful(1, 2, "4915100001", 0x0B), Unsuccessful(3, 4, "4915100002", 0x01020304))


def _texts(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=size - 1)


_octet = st.integers(0, 255)
_word = st.integers(0, 0xFFFFFFFF)
_numbers = st.builds(Destination, _octet, _octet, _texts(21), st.just(""))  # builds() would make up a dl_name
_lists = _texts(21).filter(bool).map(lambda name: Destination(dl_name=name))
_failed = st.builds(Unsuccessful, _octet, _octet, _texts(21), _word)
_tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=6).map(tuple)


def _values(field: Field) -> st.SearchStrategy[Any]:
    if field.kind == INTEGER:
        return _octet
    if field.kind == TEXT:
        return _texts(field.size)
    if field.kind == MESSAGE:
        return st.binary(max_size=field.size)
    if field.kind == DESTINATIONS:
        return st.lists(_numbers | _lists, min_size=1, max_size=4).map(tuple)
    return st.lists(_failed, max_size=4).map(tuple)


def _pdus(pdu: type[Pdu]) -> st.SearchStrategy[Pdu]:
    layout = LAYOUTS[COMMANDS[pdu]]
    tlvs = (_tlvs,) if layout.has_tlvs else ()
    return st.builds(layout.pdu, *map(_values, layout.fields), *tlvs, _word, _word)


pdus = st.sampled_from(CLASSES).flatmap(_pdus)
