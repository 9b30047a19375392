"""The message centre, an engine: it takes messages, keeps them, sends them on, tells what became of them."""

from .centre import Centre

__all__ = ["Centre"]
