"""Presence: what a user's phones publish, whether one is registered, whether the user talks (RFC 3856)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import ceil

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.packages import pidf
from switchroom.protocols.wheel import Slots
from switchroom.switch.calls.registration.bindings import Binding

Headers = tuple[tuple[str, str], ...]
Answer = tuple[int, Headers]


@dataclass(frozen=True, slots=True)
class Publication:
    """One document that a phone has published, until it expires."""

    user: str
    document: pidf.Presence
    expires_at: float


class Statuses:
    """Publications by entity tag, and what comes of them together (RFC 3903 §6)."""

    event = pidf.EVENT
    content_type = pidf.CONTENT_TYPE
    is_private = False

    def __init__(
        self,
        lookup: Callable[[str, float], Iterable[Binding]],
        is_talking: Callable[[str], bool],
        mint: sip.Mint,
    ) -> None:
        self._lookup, self._is_talking, self._mint = lookup, is_talking, mint
        self._publications: dict[str, Publication] = {}
        self._tags: dict[str, list[str]] = {}  # user -> entity tags, the latest first
        self._due: Slots = Slots(per_second=1)
        self.terms = sip.Terms()
        self.max_size = 8192
        self.max_per_user = 10
        self.on_change: Callable[[str, float], None] = lambda topic, now: None
        # Told what other workers should know: the tag, the one before it, what was published if anything
        self.share: Callable[[str, str | None, Publication | None], None] | None = None

    def __len__(self) -> int:
        return len(self._publications)

    # -- PUBLISH

    def publish(self, request: sip.Request, user: str, now: float) -> Answer:
        """Take, refresh, change or remove a publication of the user: status and headers."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        match = request.get("SIP-If-Match")
        known = None if match is None else self._publications.get(match)
        if match is not None and (known is None or known.user != user or known.expires_at <= now):
            return 412, ()
        if known is None and not request.body:
            return 400, ()  # §4.1: the first one has a body
        if known is None and len(self._tags.get(user, ())) >= self.max_per_user:
            return 503, (("Retry-After", "60"),)
        try:
            if request.body:
                document = pidf.Presence.parse(request.body)
            else:
                assert known is not None
                document = known.document
        except RemoteProtocolError as error:
            return error.status, ()
        expires = self.terms.grant(request)
        if match is not None:
            self._forget(match)
        tag = self._mint.tag()  # every success has another (§6.1 step 6), which tells the worker that has it
        publication = Publication(user, document, now + expires) if expires else None
        if publication is not None:
            self._keep(tag, publication)
        if self.share is not None:
            self.share(tag, match, publication)
        if known is None or request.body or not expires:
            self.on_change(user, now)
        return 200, (("SIP-ETag", tag), ("Expires", str(expires)))

    def _refusal(self, request: sip.Request) -> Answer | None:
        if len(request.get_all("SIP-If-Match")) > 1:
            return 400, ()
        if request.body and request.content_type != self.content_type:
            return 415, (("Accept", self.content_type),)
        if len(request.body) > self.max_size:
            return 413, ()
        return self.terms.refusal(request)

    def _keep(self, tag: str, publication: Publication) -> None:
        self._publications[tag] = publication
        self._tags.setdefault(publication.user, []).insert(0, tag)
        self._due.add(tag, ceil(publication.expires_at))

    def _forget(self, tag: str) -> None:
        publication = self._publications.pop(tag)
        tags = self._tags[publication.user]
        tags.remove(tag)
        if not tags:
            del self._tags[publication.user]

    def forget(self, is_it: Callable[[str], bool], now: float) -> None:
        """Forget the publications with these tags: their worker died."""
        for tag in [tag for tag in self._publications if is_it(tag)]:
            user = self._publications[tag].user
            self._forget(tag)
            self.on_change(user, now)

    def own(self, slot: int) -> list[tuple[str, Publication]]:
        """The publications that were made at this worker."""
        return [(tag, one) for tag, one in self._publications.items() if self._is_of(tag, slot)]

    @staticmethod
    def _is_of(tag: str, slot: int) -> bool:
        place = sip.Mint.slot_of(tag)
        return place is not None and place[0] == slot

    def learn(self, tag: str, before: str | None, publication: Publication | None, now: float) -> None:
        """Another worker tells what was published there."""
        known = self._publications.get(before or "")
        if known is not None and before is not None:
            self._forget(before)
        if publication is not None and tag not in self._publications:
            self._keep(tag, publication)
        told = publication or known
        if told is not None:
            self.on_change(told.user, now)

    # -- the clock

    def next_timer(self) -> float | None:
        """When a publication may have expired."""
        return self._due.next_at()

    def handle_timer(self, now: float) -> None:
        """Forget what has expired."""
        while (due := self._due.take(now)) is not None:
            for tag in due[1]:
                publication = self._publications.get(tag)
                if publication is not None:
                    self._forget(tag)
                    self.on_change(publication.user, now)

    # -- what comes of it

    def document(self, topic: str, entity: str, version: int, now: float) -> bytes:
        """What the phones say; when they say nothing, whether one is registered."""
        published = [self._publications[tag].document for tag in self._tags.get(topic, ())]
        tuples = [
            replace(one, id=f"p{number}{one.id}"[:64])
            for number, document in enumerate(published)
            for one in document.tuples
        ]
        if not tuples:
            is_there = any(True for _ in self._lookup(topic, now))
            tuples = [
                pidf.Tuple("registration", "open" if is_there else "closed", entity if is_there else "")
            ]
        activities = dict.fromkeys(name for document in published for name in document.activities)
        if self._is_talking(topic):
            # some softphones know busy and away only, and look at what stands first
            activities = {"busy": None, "on-the-phone": None, **activities}
        note = next((document.note for document in published if document.note), "")
        return bytes(pidf.Presence(entity, tuple(tuples[: pidf.MAX_TUPLES]), note, tuple(activities)))
