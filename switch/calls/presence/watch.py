"""One subscription as the switch sees it: who watches what of whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from switchroom.protocols import sip

if TYPE_CHECKING:
    from switchroom.switch.calls.presence.service import Presence


class Package(Protocol):
    """A kind of state that can be watched."""

    event: str  # as in the Event header
    content_type: str
    is_private: bool  # nobody but the user may watch it

    def document(self, topic: str, entity: str, version: int, now: float) -> bytes:
        """The state of a user, who is the entity to whoever asked."""


class Watch:
    """Asks the package for the state when a NOTIFY is due, and hears of the subscription's end."""

    __slots__ = ("account", "contact", "entity", "is_over", "owner", "package", "topic")

    def __init__(
        self, owner: Presence, package: Package, topic: str, entity: str, account: str, contact: str
    ) -> None:
        self.owner = owner
        self.package = package
        self.topic = topic  # the user who is watched
        self.entity = entity  # by what URI
        self.account = account  # who watches
        self.contact = contact
        self.is_over = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a phone that has started anew subscribes to again."""
        return self.account, self.contact, self.package.event, self.topic

    def content(self, subscription: sip.Notifier, now: float) -> tuple[str, bytes]:
        """What the next NOTIFY says."""
        package = self.package
        return package.content_type, package.document(self.topic, self.entity, subscription.version, now)

    def handle_event(self, event: Any, now: float) -> None:
        """The subscription is over."""
        if isinstance(event, sip.SubscriptionEnded):
            self.owner.ended(event.subscription, event.cause)
