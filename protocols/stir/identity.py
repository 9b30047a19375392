"""The Identity header: a PASSporT in a SIP request (RFC 8224)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import RemoteProtocolError
from ..sip.grammar import Params, find_param, match_params, skip_space
from ..sip.uri import Uri

_TOKEN = re.compile(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+")
_SEPARATORS = str.maketrans("", "", "-.() ")
_NUMBER = re.compile(r"\+?[0-9*#]+")
_SUPPORTED = ("", "shaken", "div")


@dataclass(frozen=True, slots=True)
class IdentityHeader:
    """One value: the token, and where its certificate is."""

    token: str
    info: str
    alg: str = "ES256"
    ppt: str = ""

    @property
    def is_compact(self) -> bool:
        """Whether header and claims are to be made from the message."""
        return self.token.startswith("..")

    def __str__(self) -> str:
        ppt = f';ppt="{self.ppt}"' if self.ppt else ""
        return f"{self.token};info=<{self.info}>;alg={self.alg}{ppt}"

    @staticmethod
    def parse(text: str) -> IdentityHeader:
        """Read one; RemoteProtocolError has the status of RFC 8224 §6.2.2."""
        found = _TOKEN.match(text)
        if found is None:
            raise RemoteProtocolError("Identity without a token", status=438)
        info, params = _params(text, found.end())
        alg, ppt = find_param(params, "alg") or "ES256", find_param(params, "ppt") or ""
        if alg != "ES256" or ppt not in _SUPPORTED:
            raise RemoteProtocolError("Identity of a kind that is not supported", status=437)
        if not info:
            raise RemoteProtocolError("Identity without info", status=436)
        return IdentityHeader(found[0], info, alg, ppt)


def _params(text: str, at: int) -> tuple[str, Params]:
    """The info parameter, whose value stands in angle brackets, and all others."""
    info = ""
    found = re.compile(r";[ \t]*info[ \t]*=[ \t]*<([^<>\s]*)>", re.IGNORECASE).search(text, at)
    rest = text[at:]
    if found is not None:
        info = found[1]
        rest = text[at : found.start()] + text[found.end() :]
    params, end = match_params(rest, 0)
    if skip_space(rest, end) < len(rest):
        raise RemoteProtocolError("Identity with something after its parameters", status=438)
    return info, params


def canonical_number(text: str) -> str | None:
    """A number as a PASSporT says it: digits, * and # alone (RFC 8224 §8.3); None for what is no number."""
    plain = text.partition(";")[0].translate(_SEPARATORS)
    return plain.removeprefix("+") if _NUMBER.fullmatch(plain) else None


def party_of(uri: Uri) -> dict[str, str]:
    """Who a URI is, for orig: ``tn`` for a number, else ``uri`` (RFC 8224 §8)."""
    user = uri.user_unescaped or ""
    number = canonical_number(user)
    if number is not None and (uri.scheme == "tel" or user.startswith("+") or uri.param("user") == "phone"):
        return {"tn": number}
    if number is not None and len(number) >= _SHORTEST_NUMBER:
        return {"tn": number}  # carriers leave out both marks
    return {"uri": f"{uri.scheme}:{user}@{uri.host.lower()}" if user else f"{uri.scheme}:{uri.host.lower()}"}


_SHORTEST_NUMBER = 7
