"""What stops a command: one line for people, exit status 2."""

from __future__ import annotations


class FaultError(Exception):
    """The command cannot go on; its text is the line that is shown."""
