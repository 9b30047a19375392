from .hashing import PlainSealer as Sealer

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
