"""Writes docs/configuration.md from the model, so that it cannot drift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..config import Config

_INTRODUCTION = """\
# Configuration

One TOML file, `switchroom.toml` in the current folder or `-c FILE`. `switchroom serve` writes a first one
where there is none; `switchroom check` checks a changed one; `switchroom reload` (or SIGHUP) applies it
without dropping calls, and refuses a broken one while the old one stays in force. Keys marked *restart* take
effect at the next start. Any key can be set on the command line, an entry of a list by its position, from 0:
`switchroom serve --set sip.t1=0.3 --set log.level=debug --set users.0.number=77`.

An unknown key is a fault. A fault is one line that names file, key, value and what is allowed:
`switchroom.toml: sip.t1: 0: must be greater than 0`.

This page is written from the program: `switchroom config-doc > docs/configuration.md`.
"""
_TYPES = {
    str: "text",
    SecretStr: "text",
    Path: "path",
    int: "whole number",
    float: "number",
    bool: "true or false",
}


def describe() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_sections()])


def _sections() -> Iterator[str]:
    for name, field in Config.model_fields.items():
        model: Any = field.annotation
        is_list = get_origin(model) is list
        if is_list:
            (model,) = get_args(model)
        yield from _section(name, model, is_list=is_list)


def _section(name: str, model: Any, *, is_list: bool) -> Iterator[str]:
    """A table, and after it the lists of tables inside it."""
    yield f"## `[[{name}]]`\n" if is_list else f"## `[{name}]`\n"
    yield f"{model.__doc__}{' One such table for each.' if is_list else ''}\n"
    yield "| key | type | default | unit | allowed | meaning |\n|---|---|---|---|---|---|"
    yield from _keys(model)
    yield ""
    for key, field in model.model_fields.items():
        if (inner := _table_in(field.annotation)) is not None:
            yield from _section(f"{name}.{key}", inner, is_list=True)


def _table_in(annotation: Any) -> Any:
    """The model of a list of tables, None for anything else."""
    (inner, *_) = get_args(annotation) or (None,)
    is_table = get_origin(annotation) is list and isinstance(inner, type) and issubclass(inner, BaseModel)
    return inner if is_table else None


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        meaning = f"{field.description}{'' if extra['is_live'] else ' *restart*'}"
        cells = (
            f"`{name}`",
            _type(field.annotation),
            _default(field),
            extra["unit"],
            _limits(field),
            meaning,
        )
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if _table_in(annotation) is not None:
        return "list of tables"
    if origin is list:
        inner = _type(arguments[0])
        return f"list of {inner}" if inner.endswith("s") else f"list of {inner}s"
    if origin is Literal:
        return "text"
    if type(None) in arguments:
        return _type(arguments[0])
    if origin is dict:
        return f"table of {_type(arguments[1])}s"
    if origin is UnionType:
        return " or ".join(map(_type, arguments))
    if origin is tuple:
        return f"list of {_type(arguments[0])}s"
    if hasattr(annotation, "__metadata__"):  # a text with a rule of its own
        return _type(arguments[0])
    return _TYPES[annotation]


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "*required*"
    if value is None:
        return "*not given*"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return f"`{json.dumps(str(value) if isinstance(value, Path) else value)}`"


def _limits(field: FieldInfo) -> str:
    annotation = field.annotation
    for candidate in (annotation, *get_args(annotation)):
        if get_origin(candidate) is Literal:
            return ", ".join(f"`{value}`" for value in get_args(candidate))
    found = []
    for limit in field.metadata:
        match limit:
            case Gt(value):
                found.append(f"> {value}")
            case Ge(value):
                found.append(f"≥ {value}")
            case Lt(value):
                found.append(f"< {value}")
            case Le(value):
                found.append(f"≤ {value}")
            case MinLen(value) if get_origin(annotation) is list:
                found.append(f"at least {value}")
            case MaxLen(value):
                found.append(f"at most {value}{'' if get_origin(annotation) is list else ' characters'}")
            case _:
                continue
    return ", ".join(found)
