"""One request to a customer's server: signed, fenced, with limits of time and size and few redirects."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlencode, urljoin, urlsplit, urlunsplit

from switchroom.switch.net.fence import Fence, ForbiddenError

from .connections import AnswerError, Connections, LostError
from .cookies import Cookies
from .overrides import CONNECT, READ, Overrides, kind_of
from .signature import HEADER, sign, with_body_hash

MAX_BODY = 65536
MAX_REDIRECTS = 3
_USER_AGENT = "TwilioProxy/1.1"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"

Params = Sequence[tuple[str, str]]


class FetchError(Exception):
    """There is no answer that could be used: the code says why, as documents about errors name it."""

    def __init__(
        self, code: int, message: str, *, can_retry: bool = True, status: int = 0, kind: str = ""
    ) -> None:
        """``kind``: what has failed, as the policies of addresses name it."""
        self.code, self.message, self.can_retry, self.status = code, message, can_retry, status
        self.kind = kind or kind_of(status)
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    content_type: str
    body: bytes
    url: str  # where it came from at last
    headers: Mapping[str, str] = field(default_factory=dict)  # names in small letters


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be asked."""

    url: str
    method: str = "POST"
    params: Params = ()
    payload: Any = None  # JSON instead of a form
    headers: Mapping[str, str] = field(default_factory=dict)
    max_body: int = MAX_BODY
    accept: str = "*/*"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long it may take; a URL's fragment may say otherwise (``#ct=500&rt=2000&tt=5000``)."""

    connect: float = 5.0
    read: float = 10.0
    total: float = 10.0

    def overridden(self, url: str) -> Limits:
        """With what the fragment says, in milliseconds, but never longer than a minute."""
        said = Overrides.of(url)
        total = said.total or self.total
        return Limits(min(said.connect or self.connect, total), min(said.read or self.read, total), total)


class Fetcher:
    """Makes requests over one pool of connections."""

    def __init__(self, fence: Fence, context: ssl.SSLContext, limits: Limits) -> None:
        self.limits, self.context = limits, context
        self.connections = Connections(fence, context)

    async def close(self) -> None:
        """Close all connections."""
        self.connections.close()

    async def fetch(
        self, request: Request, token: str, *, limits: Limits | None = None, cookies: Cookies | None = None
    ) -> Reply:
        """Ask, and follow a few redirects; FetchError: there is no good answer."""
        limits = limits or self.limits.overridden(request.url)
        try:
            async with asyncio.timeout(limits.total):
                return await self._follow(request, token, limits, cookies)
        except TimeoutError:
            raise FetchError(11205, f"no answer within {limits.total:.3g} s", kind=READ) from None

    async def persist(self, request: Request, token: str, *, cookies: Cookies | None = None) -> Reply:
        """Ask, and again as the address says: once after a connection that could not be had, if it is silent.

        All that takes no longer than one question may.
        """
        said, limits = Overrides.of(request.url), self.limits.overridden(request.url)
        left = 1 if said.retries is None else said.retries
        until = asyncio.get_running_loop().time() + limits.total
        while True:
            spent = replace(limits, total=max(until - asyncio.get_running_loop().time(), 0.1))
            try:
                reply = await self.fetch(request, token, limits=spent, cookies=cookies)
                if not left or not said.allows(kind_of(reply.status), CONNECT):
                    return reply
            except FetchError as error:
                if not left or not said.allows(error.kind, CONNECT):
                    raise
            left -= 1
            if asyncio.get_running_loop().time() >= until:
                raise FetchError(11203, f"no good answer within {limits.total:g} s")

    async def _follow(self, request: Request, token: str, limits: Limits, cookies: Cookies | None) -> Reply:
        url, method = _bare(request.url), request.method
        for _ in range(MAX_REDIRECTS + 1):
            reply, location = await self._once(request, url, method, token, limits, cookies)
            if not location:
                return reply
            url = _bare(urljoin(url, location))
            if reply.status in (301, 302, 303):
                method = "GET"
        raise FetchError(11215, f"more than {MAX_REDIRECTS} redirects", can_retry=False)

    async def _once(
        self,
        request: Request,
        url: str,
        method: str,
        token: str,
        limits: Limits,
        cookies: Cookies | None,
    ) -> tuple[Reply, str]:
        host = _check(url)
        url, headers, content = _write(request, url, method, token)
        if cookies is not None and (known := cookies.header(url)):
            headers.append(("Cookie", known))
        ask = self.connections.request
        try:
            response = await ask(
                *(method, url, headers, content),
                max_body=request.max_body,
                connect=limits.connect,
                read=limits.read,
            )
        except ForbiddenError as error:
            raise FetchError(11210, str(error), can_retry=False) from None
        except LookupError:
            raise FetchError(11210, f"{host}: there is no such name") from None
        except AnswerError as error:
            raise FetchError(11750 if error.is_large else 11206, _reason(error), can_retry=False) from None
        except TimeoutError:
            raise FetchError(11205, f"{host}: no answer in time", kind=READ) from None
        except OSError as error:
            raise _connect_error(error) from None
        except LostError as error:
            raise FetchError(11205, _reason(error), kind=READ) from None
        except ValueError as error:  # UnicodeError too
            raise FetchError(11206, _reason(error), can_retry=False) from None
        if cookies is not None:
            cookies.learn(url, [value for name, value in response.headers if name == "set-cookie"])
        known_headers = dict(response.headers)
        location = known_headers.get("location", "") if response.status in (301, 302, 303, 307, 308) else ""
        kind = known_headers.get("content-type", "")
        return Reply(response.status, kind, response.body, url, known_headers), location


def _bare(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(fragment=""))


def _check(url: str) -> str:
    """The host of a URL that may be asked."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FetchError(11100, "the URL cannot be read", can_retry=False) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise FetchError(11100, "the URL is not one of http or https", can_retry=False)
    return parts.hostname


def _write(
    request: Request, url: str, method: str, token: str
) -> tuple[str, list[tuple[str, str]], bytes | None]:
    """URL, headers and body as they go out; credentials in a URL become Basic authentication."""
    headers = [("User-Agent", _USER_AGENT), ("Accept", request.accept), *request.headers.items()]
    parts = urlsplit(url)
    if "@" in parts.netloc:
        headers.append(("Authorization", _basic(parts.username or "", parts.password or "")))
        url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    headers.append(("Host", urlsplit(url).netloc))
    content: bytes | None = None
    if request.payload is not None and method == "POST":
        content = json.dumps(request.payload, separators=(",", ":")).encode()
        url = with_body_hash(url, content)
        headers += [("Content-Type", "application/json"), (HEADER, sign(token, url))]
    elif method == "POST":
        content = urlencode(request.params).encode()
        headers += [("Content-Type", _FORM), (HEADER, sign(token, url, request.params))]
    else:
        if request.params:
            parts = urlsplit(url)
            query = urlencode(request.params)
            url = urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))
        headers.append((HEADER, sign(token, url)))
    if content is not None:
        headers.append(("Content-Length", str(len(content))))
    return url, headers, content


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def _connect_error(error: Exception) -> FetchError:
    text = _reason(error)
    low = text.lower()
    if "hostname mismatch" in low or "ip address mismatch" in low:
        return FetchError(11235, text, kind=CONNECT)
    if "certificate" in low or "ssl" in low or "tls" in low:
        return FetchError(11220, text, kind=CONNECT)
    return FetchError(11205, text, kind=CONNECT)


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
