"""Takes the secrets out of SIP messages before they are shown."""

from __future__ import annotations

import re

_MAX_SIZE = 8192  # octets that are shown of one message

# A credentials header with its folded lines (RFC 3261 §22): scheme and user stay.
_CREDENTIALS = re.compile(
    r"(?im)^((?:proxy-)?authorization[ \t]*:)((?:[^\r\n]|\r?\n[ \t]|\r(?!\n))*)",
)
_SCHEME = re.compile(r"\s*([A-Za-z0-9-]+)")
_USER = re.compile(r'(?i)\busername\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,]+)')
_SECRETS = (
    # wherever it stands: a header whose name is broken is shown too
    (re.compile(r'(?i)\b(response|rspauth|cnonce)(\s*=\s*)(?:"[^"\r\n]*"?|[^\s,;"]+)'), r"\1\2***"),
    (re.compile(r"(?i)(\bsips?:[^\s:@;<>\"]{0,256}):[^\s@<>\"]{0,256}@"), r"\1:***@"),  # sip:user:password@
    (re.compile(r"(?im)^(a=crypto:[^\r\n]*?inline:)[^\s|]+"), r"\1***"),  # RFC 4568
    (re.compile(r"(?im)^(a=ice-pwd:|k=[a-z0-9]+:)[^\r\n]+"), r"\1***"),
)


def mask(message: bytes) -> str:
    """A SIP message for the log: who authenticates stays, what proves it does not."""
    shown = message[:_MAX_SIZE].decode(errors="backslashreplace")
    shown = _CREDENTIALS.sub(_without_proof, shown)
    for pattern, replacement in _SECRETS:
        shown = pattern.sub(replacement, shown)
    return shown if len(message) <= _MAX_SIZE else f"{shown}… ({len(message)} octets)"


def _without_proof(match: re.Match[str]) -> str:
    scheme, user = _SCHEME.match(match[2]), _USER.search(match[2])
    return f"{match[1]} {scheme[1] if scheme else ''} {f'username={user[1]}, ' if user else ''}***"
