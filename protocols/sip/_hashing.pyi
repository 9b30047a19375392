__all__ = ["Sealer", "compute_response"]

def compute_response(
    a1: str,
    method: str,
    uri: str,
    nonce: str,
    algorithm: str = "MD5",
    qop: str | None = None,
    nc: str | None = None,
    cnonce: str | None = None,
) -> str: ...

class Sealer:
    def __init__(self, secret: bytes, size: int) -> None: ...
    def seal(self, text: str) -> str: ...
