"""Digest access authentication for SIP: RFC 3261 §22, RFC 7616, RFC 8760.

Of the algorithms MD5 and SHA-256 are spoken, of the qualities of protection only "auth". Nothing here keeps
state for a request that has not proved its password: a nonce carries its own time and seal.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

from ..errors import RemoteProtocolError
from .grammar import with_groups
from .hashing import ALGORITHMS, MD5, SHA_256, Sealer, compute_a1, compute_response

if TYPE_CHECKING:
    from .message import Request, Response

__all__ = [
    "ALGORITHMS",
    "MD5",
    "SHA_256",
    "Challenge",
    "Credentials",
    "DigestClient",
    "Nonces",
    "compute_a1",
    "compute_response",
    "parse_parameters",
]

_FIELDS = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}

_HEAD_SIZE = 14  # of a nonce: when it was minted, and a number
_SEAL_SIZE = 10  # octets, two digits each
_NONCE_SIZE = _HEAD_SIZE + 2 * _SEAL_SIZE

# What credentials say: username, realm, nonce, uri, response, algorithm, qop, nc, cnonce, opaque
Said = tuple[str, str, str, str, str, str, str | None, str | None, str | None, str | None]

MAX_HEADER_SIZE = 2048
MAX_PARAMETERS = 32
MAX_CHALLENGES = 8

# One name and value each; what is neither is garbage up to the end, with no name. All of it is possessive:
# no input is read twice. Control octets and lone surrogates (octets that were not UTF-8) are allowed nowhere.
_PARAMETER = re.compile(
    with_groups(
        r"[ \t,]*+([!#$%&'*+.^_`|~0-9A-Za-z-]++)[ \t]*+=[ \t]*+"
        r'"?+((?<=")[^"\\\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*+'
        r'(?:\\[\t\x20-\x7e][^"\\\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*+)*+(?=")'
        r'|(?<=[= \t])[^",\\\x00-\x20\x7f\ud800-\udfff]++(?=[ \t,]|\Z))"?+'
        r"[ \t]*+(?=,|\Z)"
        r"|.+"
    ),
    re.DOTALL,
)
_USUAL = frozenset(
    ("username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce", "opaque", "stale")
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEXADECIMAL = "0123456789abcdefABCDEF"


class Challenge(NamedTuple):
    """The value of a WWW-Authenticate or Proxy-Authenticate header."""

    realm: str
    nonce: str
    algorithm: str = MD5
    qop: tuple[str, ...] = ("auth",)
    opaque: str | None = None
    is_stale: bool = False

    @classmethod
    def parse(cls, value: str) -> Challenge:
        found = parse_parameters(value)
        try:
            realm, nonce = found["realm"], found["nonce"]
        except KeyError as error:
            raise RemoteProtocolError(f"Digest challenge without {error.args[0]}") from None
        qop = tuple(word for word in found.get("qop", "").lower().replace(",", " ").split(" ") if word)
        is_stale = found.get("stale", "").lower() == "true"
        algorithm = found.get("algorithm", MD5).upper()
        return cls(realm, nonce, algorithm, qop, found.get("opaque"), is_stale)

    def __str__(self) -> str:
        text = f"Digest realm={_quote(self.realm)}, nonce={_quote(self.nonce)}"
        if self.opaque is not None:
            text += f", opaque={_quote(self.opaque)}"
        if self.is_stale:
            text += ", stale=true"
        text += f", algorithm={_word(self.algorithm)}"
        return f"{text}, qop={_quote(','.join(self.qop))}" if self.qop else text

    @property
    def can_be_answered(self) -> bool:
        return self.algorithm in ALGORITHMS and (not self.qop or "auth" in self.qop)


class Credentials:
    """The value of an Authorization or Proxy-Authorization header."""

    __slots__ = (
        *("username", "realm", "nonce", "uri", "response"),
        *("algorithm", "qop", "nc", "cnonce", "opaque"),
    )

    def __init__(
        self,
        username: str,
        realm: str,
        nonce: str,
        uri: str,
        response: str,
        algorithm: str = MD5,
        qop: str | None = None,
        nc: str | None = None,
        cnonce: str | None = None,
        opaque: str | None = None,
    ) -> None:
        self._fill((username, realm, nonce, uri, response, algorithm, qop, nc, cnonce, opaque))

    @staticmethod
    def parse(value: str) -> Credentials:
        """Read them; RemoteProtocolError when they are none."""
        return parse_credentials(value)

    def _fill(self, said: Said) -> None:
        self.username, self.realm, self.nonce, self.uri, self.response = said[:5]
        self.algorithm = said[5]
        self.qop = said[6]
        self.nc = said[7]  # as written: eight hexadecimal digits, they are part of what is hashed
        self.cnonce = said[8]
        self.opaque = said[9]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credentials) and str(self) == str(other)

    def __str__(self) -> str:
        text = (
            f"Digest username={_quote(self.username)}, realm={_quote(self.realm)}, nonce={_quote(self.nonce)}"
            f', uri={_quote(self.uri)}, response="{self.response}", algorithm={_word(self.algorithm)}'
        )
        if self.cnonce is not None:
            text += f", cnonce={_quote(self.cnonce)}"
        if self.opaque is not None:
            text += f", opaque={_quote(self.opaque)}"
        if self.qop is not None:
            text += f", qop={_word(self.qop)}"
        return text if self.nc is None else f"{text}, nc={self.nc}"

    @property
    def nonce_count(self) -> int:
        return 0 if self.nc is None else _hexadecimal(self.nc, 8)

    def is_proof_of(self, a1: str, method: str) -> bool:
        """Whether the response was made by somebody who knows the password behind ``a1``."""
        expected = compute_response(
            a1, method, self.uri, self.nonce, self.algorithm, self.qop, self.nc, self.cnonce
        )
        return compare_digest(expected, self.response)


def parse_credentials(value: str) -> Credentials:
    """The credentials that a header says; RemoteProtocolError when it says none."""
    credentials = Credentials.__new__(Credentials)
    credentials._fill(read_credentials(value))
    return credentials


class Nonces:
    """The nonces of a server: it remembers only those that an authentication succeeded with (RFC 7616 §3.3).

    A nonce is its time of minting and a number, sealed together with the source it was given to.
    """

    __slots__ = ("_clean_until", "_forgotten_at", "_max_used", "_number", "_sealer", "_used", "lifetime")

    def __init__(self, secret: bytes, lifetime: float = 300.0, *, max_used: int = 65536) -> None:
        self.lifetime = lifetime
        self._sealer = Sealer(secret, _SEAL_SIZE)
        self._max_used = max_used
        self._used: OrderedDict[str, int] = OrderedDict()  # nonce -> its highest nonce-count
        self._clean_until = -1.0  # before then none of them expires
        self._number = 0
        self._forgotten_at = -1.0  # nonces minted until then count as used up, unless the table knows better

    def mint(self, source: str, now: float) -> str:
        """A new nonce for this source."""
        self._number = (self._number + 1) & 0xFFFF  # two phones behind one address never share a nonce
        minted_at, number = int(now * 1000), self._number
        head = f"{minted_at:010x}{number:04x}"
        return head + self._seal(head, source)

    def is_valid(self, nonce: str, source: str, now: float) -> bool:
        """Whether the nonce is ours, was given to this source and has not expired."""
        if len(nonce) != _NONCE_SIZE or not nonce.isascii():
            return False
        if not compare_digest(self._seal(nonce[:_HEAD_SIZE], source), nonce[_HEAD_SIZE:]):
            return False
        minted_at = _minted_at(nonce)
        if minted_at <= self._forgotten_at and nonce not in self._used:
            return False
        return now - minted_at <= self.lifetime

    def is_replay(self, nonce: str, nonce_count: int) -> bool:
        """Whether this count, or a higher one, was used with the nonce already."""
        return nonce_count <= self._used.get(nonce, 0)

    def use(self, nonce: str, nonce_count: int, now: float) -> None:
        """Remember the nonce-count of a valid nonce after the digest proved right, and only then."""
        used = self._used
        used[nonce] = nonce_count
        if now <= self._clean_until and len(used) <= self._max_used:
            return
        while used:
            oldest = next(iter(used))
            minted_at = _minted_at(oldest)
            if now - minted_at <= self.lifetime:
                if len(used) <= self._max_used:
                    self._clean_until = minted_at + self.lifetime
                    return
                # Never forget a count and still accept its nonce: all of that age are stale from here on.
                self._forgotten_at = max(self._forgotten_at, minted_at)
            used.popitem(last=False)

    def __len__(self) -> int:
        return len(self._used)

    def _seal(self, head: str, source: str) -> str:
        return self._sealer.seal(head + source)


def _minted_at(nonce: str) -> float:
    return _hexadecimal(nonce, 10) / 1000


def _hexadecimal(text: str, size: int) -> int:
    """The number that as many digits say; what they are was looked at before."""
    number = 0
    for at in range(size):
        digit = ord(text[at])
        number = number * 16 + (digit - 48 if digit < 58 else (digit | 32) - 87)
    return number


@dataclass(slots=True)
class _Answer:
    """How a client goes on answering one realm."""

    challenge: Challenge
    a1: str
    count: int = 0
    renewals: int = 0


class DigestClient:
    """A user agent's side: takes challenges, writes credentials (RFC 3261 §22.1-22.3)."""

    _MAX_RENEWALS = 3  # a server that calls every fresh nonce stale does not get a request for ever

    def __init__(
        self,
        username: str,
        password: str,
        *,
        realm: str | None = None,
        mint_cnonce: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self.username = username
        self.realm = realm
        self._password = password
        self._mint_cnonce = mint_cnonce
        self._answers: dict[tuple[str, str], _Answer] = {}  # (header, realm) -> answer

    def receive_challenge(self, response: Response, request: Request) -> bool:
        """Take the 401 or 407 that ``request`` met; True: it is worth repeating, see ``authorize``."""
        fields = _FIELDS.get(response.status)
        if fields is None:
            return False
        asks, answers = fields
        tried = {c.realm: c for c in map(Credentials.parse, request.get_all(answers))}
        is_hopeful = False
        for realm, challenge in self._strongest(response.get_all(asks)).items():
            renewals = self._renewals(challenge, tried.get(realm), self._answers.pop((answers, realm), None))
            if renewals > self._MAX_RENEWALS:
                continue
            a1 = compute_a1(self.username, realm, self._password, challenge.algorithm)
            if len(self._answers) < MAX_CHALLENGES:
                self._answers[answers, realm] = _Answer(challenge, a1, renewals=renewals)
                is_hopeful = True
        return is_hopeful

    def authorize(self, request: Request) -> None:
        """Write credentials for every realm that has challenged so far into the request."""
        uri = str(request.uri)
        for _, header in _FIELDS.values():
            request.remove(header)
        for (header, _), answer in self._answers.items():
            request.add(header, str(self._credentials(answer, request.method, uri)))

    def _strongest(self, values: list[str]) -> dict[str, Challenge]:
        best: dict[str, Challenge] = {}
        for value in values[:MAX_CHALLENGES]:
            try:
                challenge = Challenge.parse(value)
            except RemoteProtocolError:
                continue  # another scheme, or nonsense: there may be one beside it that we can answer
            if not challenge.can_be_answered or self.realm not in (None, challenge.realm):
                continue  # a password is hashed for nobody but the realm it belongs to
            rival = best.get(challenge.realm)
            if rival is None or _rank(challenge) < _rank(rival):
                best[challenge.realm] = challenge
        return best

    def _renewals(self, challenge: Challenge, tried: Credentials | None, answer: _Answer | None) -> int:
        if tried is None:
            return 0
        if not challenge.is_stale or challenge.nonce == tried.nonce:
            return self._MAX_RENEWALS + 1  # the server has seen our digest and does not like the password
        return 0 if answer is None or tried.nonce_count > 1 else answer.renewals + 1

    def _credentials(self, answer: _Answer, method: str, uri: str) -> Credentials:
        challenge = answer.challenge
        answer.count += 1
        qop = nc = cnonce = None
        if challenge.qop:
            qop, nc, cnonce = "auth", f"{answer.count:08x}", self._mint_cnonce()
        response = compute_response(
            answer.a1, method, uri, challenge.nonce, challenge.algorithm, qop, nc, cnonce
        )
        return Credentials(
            self.username, challenge.realm, challenge.nonce, uri, response, challenge.algorithm,
            qop, nc, cnonce, challenge.opaque,
        )  # fmt: skip


def _rank(challenge: Challenge) -> tuple[int, bool]:
    return ALGORITHMS.index(challenge.algorithm), not challenge.qop


def parse_parameters(value: str) -> dict[str, str]:
    """What a Digest header says, by lower-case name; saying a thing twice is refused (RFC 7616 §3.3)."""
    if len(value) > MAX_HEADER_SIZE:
        raise RemoteProtocolError("Digest header is too long")
    value = value.lstrip(" \t")
    if value[:6].lower() != "digest" or value[6:7] not in (" ", "\t"):
        raise RemoteProtocolError("Authentication scheme is not Digest")
    pairs = _PARAMETER.findall(value[7:].strip(" \t,"))
    if len(pairs) > MAX_PARAMETERS:
        raise RemoteProtocolError("Digest header has too many parameters")
    found: dict[str, str] = dict(pairs)
    if not _USUAL.issuperset(found):
        found = {name.lower(): text for name, text in pairs}
        if "" in found:
            raise RemoteProtocolError("Digest header is malformed")
    if len(found) != len(pairs):
        raise RemoteProtocolError("Digest header says one thing twice")
    if "\\" in value:
        found = {name: _ESCAPED.sub(r"\1", text) for name, text in found.items()}
    return found


def read_credentials(value: str) -> Said:
    """What credentials say, in the order of their fields; RemoteProtocolError when they say too little."""
    found = parse_parameters(value)
    try:
        username, realm, nonce = found["username"], found["realm"], found["nonce"]
        uri, response = found["uri"], found["response"]
    except KeyError as error:
        raise RemoteProtocolError(f"Digest credentials without {error.args[0]}") from None
    if not (response.isalnum() and response.isascii()):
        raise RemoteProtocolError("Digest response is not hexadecimal")
    qop, nc, cnonce = found.get("qop"), found.get("nc"), found.get("cnonce")
    if qop is not None:
        qop = qop.lower()
        if nc is None or cnonce is None:
            raise RemoteProtocolError("Digest credentials with qop need nc and cnonce (RFC 7616 §3.4)")
    if nc is not None and (len(nc) != 8 or nc.strip(_HEXADECIMAL)):
        raise RemoteProtocolError("Digest nc is not eight hexadecimal digits")
    algorithm = found.get("algorithm", MD5).upper()
    opaque = found.get("opaque")
    return username, realm, nonce, uri, response.lower(), algorithm, qop, nc, cnonce, opaque


def _quote(text: str) -> str:
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _word(text: str) -> str:
    return text if _TOKEN.fullmatch(text) else _quote(text)


plain_read_credentials = read_credentials

try:  # noqa: SIM105 - the form of the house for twins
    from ._digest import parse_parameters, read_credentials
except ImportError:  # not built: the same answers, slower
    pass
