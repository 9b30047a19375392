"""From the TOML file to a checked Config; a fault is one line: file, key, value, what is allowed."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from .model import Config
from .sections import SwitchConfig

_MAX_SIZE = 16 * 1024 * 1024  # some 100,000 users
_MAX_SHOWN = 60
_PLAIN = {  # pydantic's kinds of fault, said to people
    "string_type": "must be a text",
    "path_type": "must be a path",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "model_type": "must be a table",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "has a character that is not allowed",
}


class ConfigError(ValueError):
    """The configuration cannot be used; one line for each fault."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def load(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Read a file; ``overrides`` are key=value texts that win over it."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SIZE + 1)
    except OSError as error:
        raise ConfigError([f"{path}: {(error.strerror or str(error)).lower()}"]) from None
    if len(data) > _MAX_SIZE:
        raise ConfigError([f"{path}: larger than {_MAX_SIZE} octets"])
    return read(data, overrides, name=str(path), folder=path.absolute().parent)


def read(
    data: bytes, overrides: Iterable[str] = (), *, name: str = "configuration", folder: Path | None = None
) -> Config:
    """Check a file's octets; ``folder`` is where a relative state_dir starts."""
    try:
        tree = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigError([f"{name}: octet {error.start}: is not UTF-8"]) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError([f"{name}: {str(error)[:200]}"]) from None
    for override in overrides:
        _override(tree, override)
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError([f"{name}: {_fault(fault)}" for fault in error.errors(include_url=False)]) from None
    return _with_folder(config, folder or Path.cwd())


def find_state_dir(path: Path) -> Path:
    """Where the state of the switch with this file is, whatever else is wrong with the file."""
    try:
        given = tomllib.loads(path.read_text())["switch"]["state_dir"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        given = SwitchConfig().state_dir
    return (path.absolute().parent / Path(str(given)).expanduser()).absolute()


def find_restart_keys(before: Config, after: Config) -> list[str]:
    """The keys that differ and that a reload cannot apply."""
    found = []
    for section, model in _sections(Config):
        for key, field in model.model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and not extra.get("is_live", True):
                old, new = (getattr(getattr(c, section), key) for c in (before, after))
                if old != new:
                    found.append(f"{section}.{key}")
    return found


def _sections(config: type[Config]) -> list[tuple[str, type[BaseModel]]]:
    found = []
    for name, field in config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found.append((name, field.annotation))
    return found


def _with_folder(config: Config, folder: Path) -> Config:
    state_dir = (folder / config.switch.state_dir.expanduser()).absolute()
    switch = config.switch.model_copy(update={"state_dir": state_dir})
    tls, routing = config.tls.within(folder), config.routing.within(folder)
    stir, sound = config.stir.within(folder), config.sound.within(folder)
    return config.model_copy(
        update={
            "switch": switch,
            "tls": tls,
            "routing": routing,
            "stir": stir,
            "sound": sound,
            "voicemail": config.voicemail.within(folder),
        }
    )


def _override(tree: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    *parts, last = loc = key.strip().split(".")
    if not equals or not last:
        raise ConfigError([f"--set {_shown(text)}: must be key=value, such as sip.t1=0.5"])
    where: Any = tree
    try:
        for part in parts:
            where = where[int(part)] if isinstance(where, list) else where.setdefault(part, {})
        where[int(last) if isinstance(where, list) else last] = _value(value.strip(), _annotation(loc))
    except (ValueError, IndexError, TypeError, AttributeError):
        raise ConfigError([f"--set {key.strip()}: there is no such key"]) from None


def _value(text: str, annotation: object) -> Any:
    """Read a value as TOML, or take it as it is: nobody likes quotes inside quotes."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if annotation in (str, SecretStr, Path):
        return value if isinstance(value, str) else text
    if get_origin(annotation) is list and isinstance(value, str):
        return [item.strip() for item in value.split(",")]
    return value


def _annotation(loc: Sequence[int | str]) -> Any:
    """The type that the model has at a place, None where it knows no such key."""
    found: Any = Config
    for part in loc:
        if isinstance(found, type) and issubclass(found, BaseModel):
            field = found.model_fields.get(str(part))
            found = None if field is None else field.annotation
        else:
            found = next(iter(get_args(found)), None)
    return found


def _fault(fault: ErrorDetails) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error" and isinstance(fault["input"], dict | BaseModel):
        return f"{key}.{message}" if key else message  # a rule about several keys; it names them itself
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown key; {_near(fault['loc'])}"
    if fault["type"] == "missing":
        return f"{key}: is missing"
    message = _PLAIN.get(fault["type"], message).replace("Input should", "must")
    message = message[:1].lower() + message[1:]
    if "password" in key.rpartition(".")[2]:
        return f"{key}: {message}"  # a secret is not shown, not even a wrong one
    return f"{key}: {_shown(fault['input'])}: {message}"


def _near(loc: Sequence[int | str]) -> str:
    """What is allowed in the place of an unknown key."""
    allowed = list(_annotation(loc[:-1]).model_fields)
    close = difflib.get_close_matches(str(loc[-1]), allowed, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(allowed)}"


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    if isinstance(value, dict | list) and "password" in text:
        return "a table"
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
