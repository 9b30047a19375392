"""Sounds from the web: fetched through the fence, kept in the state folder for a while."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...webhooks.fetch import FetchError, Request

if TYPE_CHECKING:
    from ...office import Office

_MAX_SIZE = 16 << 20
_MAX_KEPT = 256 << 20
_FRESH = 600.0  # seconds for which a sound is not asked for again
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
        kept = await asyncio.to_thread(self._find, stem)
        if kept is not None:
            return kept
        request = Request(url, "GET", max_body=_MAX_SIZE)
        reply = await self._office.fetcher.fetch(request, self._office.accounts.token(account))
        if not 200 <= reply.status < 300:
            raise FetchError(11200, f"{url[:200]}: status {reply.status}")
        kind = reply.content_type.partition(";")[0].strip().lower()
        suffix = _SUFFIXES.get(kind) or Path(urlsplit(url).path).suffix[:8].lower()
        path = stem.with_suffix(suffix if suffix[1:].isalnum() else ".wav")
        await asyncio.to_thread(self._keep, path, reply.body)
        return path

    def _find(self, stem: Path) -> Path | None:
        oldest = time.time() - _FRESH
        found = [path for path in self._folder.glob(f"{stem.name}.*") if path.stat().st_mtime > oldest]
        return found[0] if found else None

    def _keep(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        fresh = path.with_name(path.name + "~")
        fresh.write_bytes(data)
        fresh.replace(path)
        make_room(self._folder, _MAX_KEPT)


def make_room(folder: Path, limit: int) -> None:
    """Remove the oldest files until no more than so many octets are left."""
    files = sorted(((one.stat(), one) for one in folder.iterdir()), key=lambda pair: pair[0].st_mtime)
    size = sum(stat.st_size for stat, _ in files)
    for stat, one in files[:-1]:
        if size <= limit:
            return
        one.unlink(missing_ok=True)
        size -= stat.st_size
