"""Digest credentials as a telephone makes them (RFC 7616), without a line of the product's."""

from __future__ import annotations

import hashlib
import re
import secrets

from .raw import Message


def challenges(response: Message) -> list[dict[str, str]]:
    """The digest challenges of a 401 or 407, in their order."""
    found = []
    for value in response.all("www-authenticate") + response.all("proxy-authenticate"):
        pairs = re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))', value)
        found.append({n.lower(): a or b for n, a, b in pairs})
    return found


_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


def credentials(
    challenge: dict[str, str],
    method: str,
    uri: str,
    user: str,
    password: str,
    *,
    nc: int = 1,
    cnonce: str = "",
    digest_uri: str = "",
) -> str:
    """The value of an Authorization header (RFC 7616 §3.4), with qop=auth when it is offered."""
    algorithm = challenge.get("algorithm", "MD5")

    def h(text: str) -> str:
        return _HASHES[algorithm](text.encode()).hexdigest()

    shown = digest_uri or uri
    ha1 = h(f"{user}:{challenge['realm']}:{password}")
    ha2 = h(f"{method}:{shown}")
    parts = [
        f'username="{user}"',
        f'realm="{challenge["realm"]}"',
        f'nonce="{challenge["nonce"]}"',
        f'uri="{shown}"',
        f"algorithm={algorithm}",
    ]
    if "qop" in challenge:
        cnonce = cnonce or secrets.token_hex(4)
        parts += ["qop=auth", f"nc={nc:08x}", f'cnonce="{cnonce}"']
        proof = h(f"{ha1}:{challenge['nonce']}:{nc:08x}:{cnonce}:auth:{ha2}")
    else:
        proof = h(f"{ha1}:{challenge['nonce']}:{ha2}")
    parts.append(f'response="{proof}"')
    if "opaque" in challenge:
        parts.append(f'opaque="{challenge["opaque"]}"')
    return "Digest " + ", ".join(parts)
