"""Sounds from the web: fetched through the fence, kept in the state folder for a while."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from ...webhooks.fetch import FetchError, Request

if TYPE_CHECKING:
    from ...office import Office

_MAX_SIZE = 16 << 20
_MAX_KEPT = 256 << 20
_FRESH = 600.0  # seconds for which a sound is not asked for again whose server says nothing of that
_LONGEST = 86400.0
_MAX_TAG = 256
_MAX_AGE = re.compile(r"(?:s-maxage|max-age)\s*=\s*\"?([0-9]{1,9})")
_NOTE = ".note"  # beside each sound
_SUFFIXES = {
    "audio/basic": ".ul",
    "audio/x-mulaw": ".ul",
    "audio/ulaw": ".ul",
    "audio/x-alaw": ".al",
    "audio/pcma": ".al",
    "audio/g722": ".g722",
}


class Sounds:
    """A folder of them."""

    def __init__(self, office: Office, folder: Path) -> None:
        self._office, self._folder = office, folder
        self._coming: dict[Path, asyncio.Task[Path]] = {}

    async def fetch(self, account: str, url: str) -> Path:
        """The file of what an address has; FetchError: it cannot be had."""
        name = hashlib.sha256(f"{account} {url}".encode()).hexdigest()[:32]
        stem = self._folder / name
        work = self._coming.get(stem)
        if work is None:  # whoever asks while it comes waits for the same one
            work = self._coming[stem] = asyncio.create_task(self._fetch(account, url, stem))
            work.add_done_callback(lambda _: self._coming.pop(stem, None))
        return await asyncio.shield(work)

    async def _fetch(self, account: str, url: str, stem: Path) -> Path:
        kept = await asyncio.to_thread(_find, stem)
        if kept is not None and time.time() < kept.until:
            return kept.path
        request = Request(url, "GET", headers={} if kept is None else kept.conditions(), max_body=_MAX_SIZE)
        reply = await self._office.fetcher.fetch(request, self._office.accounts.token(account))
        until = time.time() + freshness(reply.headers, time.time())
        if reply.status == 304 and kept is not None:
            await asyncio.to_thread(_note, stem, kept._replace(until=until))
            return kept.path
        if not 200 <= reply.status < 300:
            raise FetchError(11200, f"{url[:200]}: status {reply.status}")
        kind = reply.content_type.partition(";")[0].strip().lower()
        suffix = _SUFFIXES.get(kind) or Path(urlsplit(url).path).suffix[:8].lower()
        path = stem.with_suffix(suffix if suffix[1:].isalnum() and suffix != _NOTE else ".wav")
        told = reply.headers.get("etag", "")[:_MAX_TAG], reply.headers.get("last-modified", "")[:_MAX_TAG]
        await asyncio.to_thread(self._keep, stem, Kept(path, until, *told), reply.body)
        return path

    def _keep(self, stem: Path, kept: Kept, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        fresh = kept.path.with_name(kept.path.name + "~")
        fresh.write_bytes(data)
        fresh.replace(kept.path)
        _note(stem, kept)
        make_room(self._folder, _MAX_KEPT)


class Kept(NamedTuple):
    """A sound that is there, until when nobody is asked for it again, and by what a server knows it."""

    path: Path
    until: float
    tag: str = ""
    modified: str = ""

    def conditions(self) -> dict[str, str]:
        """So that a server need not send again what has not changed (RFC 9110 §13)."""
        found = {"If-None-Match": self.tag, "If-Modified-Since": self.modified}
        return {name: value for name, value in found.items() if value}


def freshness(headers: Mapping[str, str], now: float) -> float:
    """Seconds for which an answer may be used without another question (RFC 9111 §4.2)."""
    said = headers.get("cache-control", "").lower()
    if "no-store" in said or "no-cache" in said:
        return 0.0
    if found := _MAX_AGE.search(said):
        return float(min(int(found[1]), _LONGEST))
    if "expires" in headers:
        try:
            return min(max(parsedate_to_datetime(headers["expires"]).timestamp() - now, 0.0), _LONGEST)
        except (ValueError, OverflowError):  # "0", which is long ago
            return 0.0
    return _FRESH


def _find(stem: Path) -> Kept | None:
    try:
        name, until, tag, modified = json.loads(stem.with_suffix(_NOTE).read_text())
        path = stem.with_name(str(name))
        return Kept(path, float(until), str(tag), str(modified)) if path.exists() else None
    except (OSError, ValueError, TypeError):
        return None


def _note(stem: Path, kept: Kept) -> None:
    stem.with_suffix(_NOTE).write_text(json.dumps([kept.path.name, *kept[1:]]))


def make_room(folder: Path, limit: int) -> None:
    """Remove the oldest files until no more than so many octets are left."""
    files = sorted(((one.stat(), one) for one in folder.iterdir()), key=lambda pair: pair[0].st_mtime)
    size = sum(stat.st_size for stat, _ in files)
    for stat, one in files[:-1]:
        if size <= limit:
            return
        one.unlink(missing_ok=True)
        size -= stat.st_size
