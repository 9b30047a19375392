"""Texts in the configuration that mean something: listeners, port ranges, numbers, patterns, targets."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Strict

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_NUMBER = re.compile(r"[0-9+*#]{1,32}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_CODEC = re.compile(r"[A-Za-z0-9._+-]{1,32}(?:/[0-9]{4,6}(?:/[0-9]{1,2})?)?")
_PATTERN = re.compile(r"(?:[A-Za-z0-9+#*_.-]|\[[0-9A-Za-z*#-]+\]){1,64}")
_SIP_URI = re.compile(r"sips?:[^\s<>\"@]+@[^\s<>\"@]+")


def whole_path(folder: Path, text: str) -> str:
    """A path as the file has it, relative ones from the file's folder; nothing stays nothing."""
    return str(folder / Path(text).expanduser()) if text else ""


def readable(read: Callable[[str], object]) -> AfterValidator:
    """Lets a text pass as it is if it can be read; what ``read`` raises says what is wrong with it."""

    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


def split_address(text: str) -> tuple[str, int]:
    """Read ``192.0.2.1:5060`` or ``[::1]:5060``."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("needs ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    is_bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip_address(host[1:-1] if is_bracketed else host)
    except ValueError:
        raise ValueError(
            "the address before the port must be an IP address, such as 0.0.0.0 or [::]"
        ) from None
    if isinstance(address, IPv6Address) != is_bracketed:
        raise ValueError("an IPv6 address, and only that, stands in brackets: [::1]:5060")
    return str(address), int(port)


def join_address(host: str, port: int) -> str:
    """Write what split_address reads."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_listen(text: str) -> tuple[str, str, int]:
    """Read ``udp:0.0.0.0:5060`` or ``tls:[::1]:5061``."""
    transport, _, address = text.partition(":")
    if transport.lower() not in ("udp", "tcp", "tls", "ws", "wss"):
        raise ValueError(
            "must be udp:ADDRESS:PORT, tcp:, tls:, ws: or wss:, such as udp:0.0.0.0:5060 or tcp:[::1]:5060"
        )
    return transport.lower(), *split_address(address)


def split_ports(text: str) -> range:
    """Read ``30000-39999``: the ports from the first to the last."""
    first, dash, last = text.replace(" ", "").partition("-")
    if not (dash and first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        raise ValueError("must be FIRST-LAST, such as 30000-39999")
    ports = range(int(first), int(last) + 1)
    if ports.start < 1024 or ports.stop > 65536:
        raise ValueError("ports must be from 1024 to 65535")
    if len(ports) - ports.start % 2 < 2:
        raise ValueError("must hold an even port and the odd one after it")  # RTP and RTCP, RFC 3550 §11
    return ports


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Turn a number pattern (1XXX, +49*, [2-5]X) into a regular expression for ``fullmatch``."""
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(
            "must be digits, + # * . - _ letters, X for any digit, [1-5] for a choice, * last for any rest"
        )
    is_prefix = pattern.endswith("*")  # anywhere else a star is the key of that name
    parts = re.findall(r"\[[^\]]+\]|.", pattern[:-1] if is_prefix else pattern)
    text = "".join("[0-9]" if p == "X" else p if p[0] == "[" else re.escape(p) for p in parts)
    try:
        return re.compile(text + (".*" if is_prefix else ""))
    except re.error:
        raise ValueError("has a choice in brackets that cannot be read; write it as [1-5] or [135]") from None


def is_host_name(text: str) -> bool:
    """Whether the text is a name or an IPv4 address."""
    return _HOST_NAME.fullmatch(text) is not None


def _codec(text: str) -> str:
    if not _CODEC.fullmatch(text):
        raise ValueError("must be a codec: PCMA, G722, opus/48000/2")
    return text


def _listen(text: str) -> str:
    transport, host, port = split_listen(text)
    return f"{transport}:{join_address(host, port)}"


def _api_listen(text: str) -> str:
    return join_address(*split_address(text)) if text else ""


def _ports(text: str) -> str:
    ports = split_ports(text)
    return f"{ports.start}-{ports.stop - 1}"


def _address(text: str) -> str:
    try:
        return str(ip_address(text)) if text else ""
    except ValueError:
        raise ValueError("must be an IP address, or empty") from None


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError("must be a network, such as 192.0.2.0/24, 192.0.2.7 or 2001:db8::/32") from None


def _domain(text: str) -> str:
    if text and not _HOST_NAME.fullmatch(text):
        return _address(text)
    return text.lower()


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("must be 1 to 64 letters, digits, _ . + - and begin with a letter or digit")
    return text


def _number(text: str) -> str:
    if text and not _NUMBER.fullmatch(text):
        raise ValueError("must be 1 to 32 digits, + * or #")
    return text


def is_target(text: str) -> bool:
    """Whether a text is user:NAME, trunk:NAME or sip:USER@HOST."""
    kind, _, name = text.partition(":")
    return (kind in ("user", "trunk") and _NAME.fullmatch(name) is not None) or (
        _SIP_URI.fullmatch(text) is not None
    )


_APP = re.compile(r"(?:app|conference|voicemail):[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")


def check_target(text: str) -> str:
    """The text, when it is user:, trunk:, app:, conference: or voicemail: and a name, or sip:USER@HOST."""
    if not is_target(text) and not _APP.fullmatch(text):
        raise ValueError(
            "must be user:NAME, trunk:NAME, sip:USER@HOST, app:NAME, conference:NAME or voicemail:USER"
        )
    return text


_SOUND = re.compile(r"(?:tone:([0-9.]{1,8}(?:\+[0-9.]{1,8}){0,3})|silence):([0-9.]{1,6})")


def split_sound(text: str) -> tuple[tuple[float, ...], float] | None:
    """Read ``tone:440+480:0.5`` or ``silence:2``: Hz and seconds; None: it is the name of a file."""
    if not text.startswith(("tone:", "silence:")):
        return None
    found = _SOUND.fullmatch(text)
    try:
        pitches = () if found is None else tuple([float(one) for one in (found[1] or "").split("+") if one])
        seconds = 0.0 if found is None else float(found[2])
    except ValueError:
        seconds = 0.0
    if not 0.02 <= seconds <= 60 or not all(20 <= pitch <= 20_000 for pitch in pitches):
        raise ValueError("must be tone:HZ:SECONDS, tone:HZ+HZ:SECONDS, silence:SECONDS, or a file")
    return pitches, seconds


def _sound(text: str) -> str:
    split_sound(text)
    if not text or "\0" in text:
        raise ValueError("must be a file, tone:HZ:SECONDS or silence:SECONDS")
    return text


Text = Annotated[str, Strict()]
Sound = Annotated[str, Strict(), AfterValidator(_sound)]
Codec = Annotated[str, Strict(), AfterValidator(_codec)]
Count = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
Listen = Annotated[str, Strict(), AfterValidator(_listen)]
ApiListen = Annotated[str, Strict(), AfterValidator(_api_listen)]
Ports = Annotated[str, Strict(), AfterValidator(_ports)]
Address = Annotated[str, Strict(), AfterValidator(_address)]
Network = Annotated[str, Strict(), AfterValidator(_network)]
Domain = Annotated[str, Strict(), AfterValidator(_domain)]
Name = Annotated[str, Strict(), AfterValidator(_name)]
Dialled = Annotated[str, Strict(), AfterValidator(_number)]
Pattern = Annotated[str, Strict(), readable(compile_pattern)]
Target = Annotated[str, Strict(), AfterValidator(check_target)]
