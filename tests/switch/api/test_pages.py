"""The page that describes REST: off unless it is wanted, loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

import httpcore

from switchroom.switch.api.room import ApiRoom

from .conftest import make_config


async def test_a_page_describes_it_where_that_is_wanted(base: str, room: ApiRoom, tmp_path: Path) -> None:
    async with httpcore.AsyncConnectionPool() as pool:
        assert (await pool.request("GET", f"{base}/docs")).status == 404
        room.reconfigure(make_config(tmp_path, docs=True))
        for path, kind in (
            ("/docs", b"text/html; charset=utf-8"),
            ("/docs/page.js", b"text/javascript; charset=utf-8"),
            ("/docs/page.css", b"text/css; charset=utf-8"),
        ):
            answer = await pool.request("GET", base + path)
            headers = dict(answer.headers)
            assert (answer.status, headers[b"content-type"]) == (200, kind)
            assert headers[b"content-security-policy"].startswith(b"default-src 'none'; script-src 'self'")
            assert [name for name, _ in answer.headers].count(b"content-security-policy") == 1
            assert b"//" not in answer.content.replace(b"// The OpenAPI", b"")  # nothing from elsewhere
            assert b"innerHTML" not in answer.content
        assert (await pool.request("POST", f"{base}/docs")).status == 404
        assert (await pool.request("GET", f"{base}/docs/../x")).status == 404
