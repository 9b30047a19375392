"""Whose fault an error is, and what to answer."""

from __future__ import annotations


class ProtocolError(Exception):
    """A rule of a wire protocol was broken."""


class LocalProtocolError(ProtocolError):
    """We asked an engine for something that its protocol forbids."""


class RemoteProtocolError(ProtocolError):
    """The other end sent something wrong; ``status`` is the SIP status to answer with."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
