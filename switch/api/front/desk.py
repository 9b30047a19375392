"""The desk: takes a request of ASGI, finds out who asks for what, has it answered, and writes it down."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from math import ceil
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import structlog

from ..wire.errors import ApiError, not_found
from ..wire.params import read_all
from .operation import Answer, Ask, Elsewhere, Operation, Raw, Stored, Table

if TYPE_CHECKING:
    from switchroom.switch.config import ApiConfig

    from .accounts import Accounts
    from .audit import Audit
    from .gate import Gate
    from .principal import Principal
    from .rates import Rates

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_MAX_FIELDS = 500
_MAX_QUERY = 8192
_PIECE = 65536
_SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'"),
]
_FORM = "application/x-www-form-urlencoded"

log = structlog.get_logger("switchroom.api")


class Desk:
    """An application of ASGI for the REST of the API."""

    def __init__(
        self, config: ApiConfig, table: Table, gate: Gate, accounts: Accounts, rates: Rates, audit: Audit
    ) -> None:
        self.config = config
        self._table, self._gate, self._accounts = table, gate, accounts
        self.rates, self._audit = rates, audit
        self.request_count = self.error_count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong is an answer too."""
        self.request_count += 1
        try:
            status, answer, extra = await self._answer(scope, receive)
        except ApiError as error:
            self.error_count += 1
            status, answer, extra = error.status, error.body(), error.headers
        except Exception:  # one request must not end the connection, nor the loop
            self.error_count += 1
            log.exception("api.failed", path=scope["path"])
            failed = ApiError(20500)
            status, answer, extra = failed.status, failed.body(), {}
        await _send(send, status, answer, extra, has_body=scope["method"] != "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, Answer, dict[str, str]]:
        headers = _headers(scope)
        operation, path = self._find(scope, headers.get("host", ""))
        values = await self._values(scope, headers, receive)
        now = time.time()
        source = scope["client"][0] if scope.get("client") else ""
        try:
            principal = self._gate.admit(headers.get("authorization", ""), source, now)
        except ApiError as error:
            self._audit.refused(source, scope["method"], scope["path"], error)
            raise
        account = self._account(operation, path, principal)
        self._limit(principal, now)
        found = read_all(operation.params, values)
        base = f"{_scheme(scope, headers)}://{headers.get('host') or 'localhost'}"
        ask = Ask(operation, principal, account, path, values, found, base, scope["path"], now)
        answer = await operation.handler(ask)
        if operation.is_audited and operation.method != "GET":
            await self._audit.done(ask, source)
        if isinstance(answer, Elsewhere):
            return 307, {}, {"Location": answer.url}
        return (204 if answer is None else operation.status), answer, {}

    def _find(self, scope: Scope, host: str) -> tuple[Operation, dict[str, str]]:
        methods, path = self._table.find(scope["raw_path"].decode("latin-1").partition("?")[0])
        name = host.partition(":")[0].lower()
        if name.endswith(".twilio.com"):
            product = name.partition(".")[0]
            methods = {method: op for method, op in methods.items() if op.product == product}
        if not methods:
            raise not_found(_shown(scope["path"]))
        wanted = "GET" if scope["method"] == "HEAD" else scope["method"]
        operation = methods.get(wanted)
        if operation is None:
            closed = next(iter(methods.values())).closed
            raise ApiError(20004, closed, headers={"Allow": ", ".join(sorted(methods))})
        return operation, path

    async def _values(self, scope: Scope, headers: dict[str, str], receive: Receive) -> dict[str, list[str]]:
        query = scope["query_string"]
        if len(query) > _MAX_QUERY:
            raise ApiError(20413, status=414)
        values = _parse(query)
        if scope["method"] in ("POST", "PUT"):
            body = await self._body(headers, receive)
            if body:
                if headers.get("content-type", _FORM).partition(";")[0].strip().lower() != _FORM:
                    raise ApiError(20422, f"The body must be {_FORM}", status=415)
                for name, given in _parse(body).items():
                    values.setdefault(name, []).extend(given)
        return values

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        size = headers.get("content-length", "")
        if size.isdecimal() and int(size) > self.config.max_body:
            raise ApiError(20413, headers={"Connection": "close"})
        parts, total = [], 0
        try:
            async with asyncio.timeout(self.config.body_timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ApiError(20422, "The connection was closed")
                    parts.append(message.get("body", b""))
                    total += len(parts[-1])
                    if total > self.config.max_body:
                        raise ApiError(20413, headers={"Connection": "close"})
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise ApiError(
                20422, "The body did not come in time", status=408, headers={"Connection": "close"}
            ) from None

    def _account(self, operation: Operation, path: dict[str, str], principal: Principal) -> str:
        account = path.get("AccountSid", principal.account)
        if account != principal.account and not (
            principal.is_main and self._accounts.belongs(account, principal.account)
        ):
            raise not_found(f"/Accounts/{_shown(account)}")
        if not principal.may(operation.scope):
            raise ApiError(20006)
        if not self._accounts.is_active(account) and not operation.path.endswith(
            "/Accounts/{AccountSid}.json"
        ):
            raise ApiError(20005)
        return account

    def _limit(self, principal: Principal, now: float) -> None:
        wait = self.rates.take(principal.account, now)
        if wait:
            raise ApiError(20429, headers={"Retry-After": str(ceil(wait))})


def _headers(scope: Scope) -> dict[str, str]:
    """By name; ApiError: it is not clear which host is meant (RFC 9112 §3.2)."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    hosts = sum(name == b"host" for name, _ in scope["headers"])
    if hosts > 1 or (not hosts and scope["http_version"] == "1.1"):
        raise ApiError(20422, "The request must have one Host", headers={"Connection": "close"})
    check_origin(headers)
    return headers


def check_origin(headers: dict[str, str]) -> None:
    """ApiError: a browser asks for a page of somebody else, maybe with credentials that it remembers."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        raise ApiError(20006, "Pages of other hosts may not ask")


def _parse(data: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(
            data.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"
        )
    except (ValueError, UnicodeDecodeError):
        raise ApiError(20422, "The parameters cannot be read") from None


def _scheme(scope: Scope, headers: dict[str, str]) -> str:
    host = headers.get("host", "").partition(":")[0].lower()
    return "https" if host.endswith(".twilio.com") else str(scope.get("scheme", "http"))


def _shown(text: str) -> str:
    """What of a path may stand in an answer: nothing that a browser could take for markup."""
    return "".join(c for c in text[:200] if c.isalnum() or c in "/._-+")


def _open_itself(path: str, flags: int) -> int:
    """A file that stands in its folder, not one that a link leads to."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


async def _send_file(send: Send, status: int, stored: Stored, *, has_body: bool) -> None:
    """A file, a piece at a time."""
    try:
        file = await asyncio.to_thread(open, stored.path, "rb", opener=_open_itself)
    except OSError:
        await send_error(send, not_found("file"))
        return
    try:
        size = os.fstat(file.fileno()).st_size
        headers = [*_SAFE, (b"content-length", b"%d" % size)]
        headers.append((b"content-type", stored.content_type.encode("latin-1")))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        left = size if has_body else 0
        while left and (piece := await asyncio.to_thread(file.read, min(left, _PIECE))):
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        file.close()


async def send_raw(send: Send, answer: Raw) -> None:
    """Answer with something that anybody may see."""
    await _send(send, 200, answer, {}, has_body=True)


async def send_error(send: Send, error: ApiError) -> None:
    """Answer with an error."""
    await _send(send, error.status, error.body(), error.headers, has_body=True)


async def _send(send: Send, status: int, answer: Answer, extra: dict[str, str], *, has_body: bool) -> None:
    content_type = "application/json; charset=utf-8"
    if isinstance(answer, Stored):
        await _send_file(send, status, answer, has_body=has_body)
        return
    if answer is None:
        body = b""
    elif isinstance(answer, Raw):
        body, content_type, extra = answer.body, answer.content_type, {**extra, **answer.headers}
    else:
        body = json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    safe = [one for one in _SAFE if one[0].decode() not in {name.lower() for name in extra}]
    headers = [*safe, (b"content-length", b"%d" % len(body))]
    if answer is not None:
        headers.append((b"content-type", content_type.encode("latin-1")))
    headers += [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in extra.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if has_body else b""})
