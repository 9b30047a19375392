"""X-Twilio-Signature: HMAC-SHA1 over URL and sorted parameters, or over a URL with the hash of the body."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

HEADER = "X-Twilio-Signature"


def sign(token: str, url: str, params: Iterable[tuple[str, str]] = ()) -> str:
    """Sign a request; ``params`` are those of its form, none for GET and for JSON."""
    by_name: dict[str, set[str]] = {}
    for name, value in params:
        by_name.setdefault(name, set()).add(value)
    text = url + "".join(name + value for name in sorted(by_name) for value in sorted(by_name[name]))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def with_body_hash(url: str, body: bytes) -> str:
    """The URL of a request with a body that is no form: its hash goes into the query."""
    parts = urlsplit(url)
    mark = f"bodySHA256={hashlib.sha256(body).hexdigest()}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{mark}" if parts.query else mark))
