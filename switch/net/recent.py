"""A bounded map that forgets what was not used lately: for caches that anybody on the network can fill."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Two generations: what is used stays young; when the young are ``size``, the old are forgotten at once."""

    __slots__ = ("_old", "_size", "young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._old: dict[K, V] = {}
        self.young: dict[K, V] = {}  # hot code looks here first by itself

    def __len__(self) -> int:
        return len(self.young) + sum(key not in self.young for key in self._old)

    def get(self, key: K) -> V | None:
        """Return what is kept for the key, and keep it longer."""
        value = self.young.get(key)
        if value is None and (value := self._old.pop(key, None)) is not None:
            self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value, for at least ``size`` further new keys."""
        if len(self.young) >= self._size:
            self._old = self.young
            self.young = {}
        self.young[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self.young = {}
        self._old = {}
