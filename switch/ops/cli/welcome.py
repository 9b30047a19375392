"""What a newcomer reads when the switch has started."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import Config, RouteConfig, join_address

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_SHOWN = 10


def welcome(
    config: Config,
    path: Path,
    bound: Sequence[tuple[str, str, int]],
    api: str,
    *,
    is_first: bool,
    show_passwords: bool,
) -> str:
    """Where phones go, what can be dialled, where to look."""
    lines = [f"Switchroom {version('switchroom')} is running; Ctrl-C stops it."]
    if is_first:
        lines.append(f"It has written a first configuration: {path}")
    lines += ["", "Point a phone at"]
    lines += [f"  {text}" for text in _listeners(bound)]
    if config.users:
        lines += ["with"]
        for user in config.users[:_MAX_SHOWN]:
            shown = user.password.get_secret_value() if show_passwords else f"as in {path}"
            lines.append(f"  user {user.name}   password {shown}   number {user.dialled}")
        lines += _rest(len(config.users))
    lines += ["", "Dial"]
    lines += [f"  {user.dialled:<10} {user.name}" for user in config.users[:_MAX_SHOWN]] + _rest(
        len(config.users)
    )
    lines += [f"  {_route(route)}" for route in config.routes[:_MAX_SHOWN]] + _rest(len(config.routes))
    command = _command()
    lines += ["", f"No phone at hand? Let this machine be one: {command} phone --help"]
    if api:
        lines.append(f"Metrics  http://{api}/metrics   health  http://{api}/healthz")
    lines += [
        f"REST     {scheme}://{join_address(host, port)}{'/docs' if config.api.docs else ''}   "
        f"account and token: {command} api account"
        for scheme, host, port in config.api.rest_listeners
        if scheme != "proxy"
    ]
    lines.append(f"Ask it   {command} status | registrations | calls | hangup CALL | reload")
    return "\n".join([*lines, ""])


def _command() -> str:
    """How this command is called from where we are."""
    program = Path(sys.argv[0])
    if program.name != "switchroom":
        return f"{Path(sys.executable).name} -m switchroom.switch"
    found = shutil.which("switchroom")
    return "switchroom" if found and program.samefile(found) else os.path.relpath(program)


def _listeners(bound: Sequence[tuple[str, str, int]]) -> list[str]:
    """One line for each address, with its transports; a wildcard as the address that others see."""
    found: dict[str, list[str]] = {}
    for transport, host, port in bound:
        shown = _outward(host) if ip_address(host).is_unspecified else host
        found.setdefault(join_address(shown, port), []).append(transport.upper())
    return [f"{address} ({' or '.join(transports)})" for address, transports in found.items()]


def _outward(host: str) -> str:
    """The address that the default route uses; no packet is sent for that."""
    family, probe = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((probe, 9))
            return str(sock.getsockname()[0])
    except OSError:
        return "::1" if ":" in host else "127.0.0.1"  # no network: this machine alone


def _route(route: RouteConfig) -> str:
    return f"{route.match:<10} {', '.join(target.removeprefix('user:') for target in route.targets)}"


def _rest(count: int) -> list[str]:
    return [f"  … and {count - _MAX_SHOWN} more"] if count > _MAX_SHOWN else []
