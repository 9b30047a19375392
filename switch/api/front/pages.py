"""``/docs``: the description as a page that a browser shows, with a form for each operation."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from .operation import Raw

_FILES = {
    "/docs": ("page.html", "text/html; charset=utf-8"),
    "/docs/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/docs/page.css": ("page.css", "text/css; charset=utf-8"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@cache
def page(path: str) -> Raw | None:
    """What stands at a path; it loads nothing from elsewhere."""
    found = _FILES.get(path)
    if found is None:
        return None
    data = files("switchroom.switch.api").joinpath("pages", found[0]).read_bytes()
    return Raw(data, found[1], {"Content-Security-Policy": _POLICY})
