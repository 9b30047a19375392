"""The ``switchroom`` command."""

from __future__ import annotations

from ..pages import take_large


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a fault is one line and exit status 2."""
    take_large()  # first: each call walks through what the imports make, too
    from .commands import run

    run(arguments)
