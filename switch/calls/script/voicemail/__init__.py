"""Voicemail: boxes on disk, and the two programs that fill them and play them."""

from __future__ import annotations

from .box import Box, Message
from .programs import VOICEMAIL
from .room import Voicemail

__all__ = ["VOICEMAIL", "Box", "Message", "Voicemail"]
