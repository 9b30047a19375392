from collections.abc import Callable
from typing import Generic, TypeVar

F = TypeVar("F")

class BatchSocket(Generic[F]):
    lost: int
    def __init__(
        self,
        fd: int,
        family: int,
        is_wildcard: bool,
        make_flow: Callable[[str | None, tuple[str, int]], F],
        cache_size: int = 8192,
    ) -> None: ...
    def receive(self) -> list[tuple[bytes, F]]: ...
    def send(self, datagrams: list[tuple[bytes, F]]) -> int: ...
    def take_failures(self) -> list[tuple[F, str, bytes | None]]: ...
