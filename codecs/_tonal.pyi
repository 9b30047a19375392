from .codec import Samples

__all__ = ["SIZE", "Lens"]

SIZE: int

class Lens:
    def __init__(self) -> None: ...
    def look(self, samples: Samples) -> float: ...
