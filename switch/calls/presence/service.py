"""SUBSCRIBE and PUBLISH outside of dialogs: who may watch whom, and how much of it (RFC 6665, RFC 3903)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from switchroom.protocols import sip
from switchroom.switch.calls.contact import contact_for
from switchroom.switch.calls.leg import RETRY_AFTER
from switchroom.switch.calls.presence.dialogs import Calls, Dialogs
from switchroom.switch.calls.presence.mailboxes import Mailboxes
from switchroom.switch.calls.presence.registrations import Registrations
from switchroom.switch.calls.presence.status import Statuses
from switchroom.switch.calls.presence.watch import Package, Watch
from switchroom.switch.calls.rules import Caller
from switchroom.switch.config import PresenceConfig

Refusal = sip.Refusal
_FORBIDDEN = Refusal(403)


class Presence:
    """Owns the subscriptions; the packages know the states."""

    def __init__(
        self,
        config: PresenceConfig,
        users: Mapping[str, str],
        *,
        endpoint: sip.Endpoint,
        calls: Calls,
        is_local: Callable[[str], bool],
        dialogs: Dialogs,
        statuses: Statuses,
        mailboxes: Mailboxes,
        registrations: Registrations,
    ) -> None:
        """``users``: the names of the users by each number and name that reaches them."""
        self._endpoint, self._calls, self._is_local = endpoint, calls, is_local
        self.dialogs, self.statuses, self.mailboxes = dialogs, statuses, mailboxes
        self.registrations = registrations
        packages: tuple[Package, ...] = (dialogs, statuses, mailboxes, registrations)
        self._packages = {package.event: package for package in packages}
        self._allow = (("Allow-Events", ", ".join(self._packages)),)
        self._by_topic: dict[tuple[str, str], dict[sip.Notifier, Watch]] = {}
        self._by_key: dict[tuple[str, str, str, str], sip.Notifier] = {}
        self._by_account: dict[str, set[sip.Notifier]] = {}
        self._call_watchers = 0  # subscriptions whose states depend on calls
        self.ended_total: dict[str, int] = {}
        self._is_needed_elsewhere = False  # another worker's subscribers want to know of our calls
        self.on_watched: Callable[[bool], None] = lambda is_watched: (
            None
        )  # calls are watched here, or not any more
        dialogs.on_change = self._on_dialogs
        statuses.on_change = lambda topic, now: self.changed("presence", topic, now)
        mailboxes.on_change = lambda topic, now: self.changed("message-summary", topic, now)
        self.reconfigure(config, users, 0.0)

    def reconfigure(self, config: PresenceConfig, users: Mapping[str, str], now: float) -> None:
        """Apply new rules; subscriptions that they forbid end."""
        self._config, self._users = config, dict(users)
        self._watchers, self._hidden = set(config.watchers), set(config.hidden)
        self._terms = sip.Terms(
            config.min_expires, config.max_expires, config.default_expires, config.notify_interval
        )
        self.statuses.terms = self._terms
        self.statuses.max_size = config.max_document_size
        self.statuses.max_per_user = config.max_publications_per_user
        self.dialogs.shows_parties = config.show_parties
        names = set(self._users.values())
        for notifier, watch in [pair for group in self._by_topic.values() for pair in group.items()]:
            if watch.account not in names or not self._may_watch(watch.account, watch.topic, watch.package):
                self._terminate(notifier, "rejected", now)
            elif watch.topic not in names:
                self._terminate(notifier, "noresource", now)

    # -- SUBSCRIBE

    def subscribe(self, event: sip.RequestReceived, caller: Caller, now: float) -> None:
        """A SUBSCRIBE outside of dialogs, its sender authenticated."""
        found = self._inspect(event, caller)
        if isinstance(found, sip.Refusal):
            self._endpoint.reply(event, found.status, now=now, headers=found.headers)
            return
        package, topic = found
        self._drop_older(key := self._key(event, caller, package, topic))
        refusal = self._limit(caller)
        if refusal is not None:
            self._endpoint.reply(event, refusal.status, now=now, headers=refusal.headers)
            return
        entity = str(event.request.uri.replace(params=(), port=None, headers=""))
        watch = Watch(self, package, topic, entity, caller.account, key[1])
        if package in (self.dialogs, self.statuses):
            self._call_watchers += 1
            if self._call_watchers == 1:
                self.dialogs.watch(self._calls, now)
                self.on_watched(True)
        notifier = self._endpoint.accept_subscription(
            event, now, contact=contact_for(event.flow, self._endpoint), source=watch, terms=self._terms
        )
        notifier.context = watch
        if not notifier.is_over:
            self._by_topic.setdefault((package.event, topic), {})[notifier] = watch
            self._by_account.setdefault(caller.account, set()).add(notifier)
            self._by_key[key] = notifier

    def _inspect(self, event: sip.RequestReceived, caller: Caller) -> tuple[Package, str] | Refusal:
        request = event.request
        about = request.event
        package = None if about is None else self._packages.get(about.package)
        if package is None:
            return Refusal(489, self._allow)
        if caller.user is None:
            return _FORBIDDEN  # a trunk, or nobody
        if not request.contacts:
            return Refusal(400)
        topic = self._find_user(request, event.flow)
        if topic is None:
            return Refusal(404)
        if not self._may_watch(caller.account, topic, package):
            return _FORBIDDEN
        if "accept" in request and not _accepts(request, package.content_type):
            return Refusal(406, (("Accept", package.content_type),))
        return self._terms.refusal(request) or (package, topic)

    def _may_watch(self, account: str, topic: str, package: Package) -> bool:
        if account == topic:
            return True
        if package.is_private or topic in self._hidden:
            return False
        return not self._watchers or account in self._watchers

    def _limit(self, caller: Caller) -> Refusal | None:
        if len(self._by_key) >= self._config.max_subscriptions:
            return Refusal(503, RETRY_AFTER)
        held = self._by_account.get(caller.account, ())
        return _FORBIDDEN if len(held) >= self._config.max_subscriptions_per_user else None

    def _find_user(self, request: sip.Request, flow: sip.Flow) -> str | None:
        host = request.uri.host.strip("[]").lower()
        if host and host != flow.local[0] and not self._is_local(host):
            return None
        return self._users.get(request.uri.user_unescaped or "")

    @staticmethod
    def _key(
        event: sip.RequestReceived, caller: Caller, package: Package, topic: str
    ) -> tuple[str, str, str, str]:
        return caller.account, str(event.request.contacts[0].uri), package.event, topic

    def _drop_older(self, key: tuple[str, str, str, str]) -> None:
        """The same phone asks for the same again: it has started anew and knows nothing of the older one."""
        older = self._by_key.get(key)
        if older is not None:
            older.drop()
            self.ended(older, "replaced")

    # -- PUBLISH

    def publish(self, event: sip.RequestReceived, caller: Caller, now: float) -> None:
        """A PUBLISH, its sender authenticated: everybody tells of himself only."""
        request = event.request
        about = request.event
        if about is None or about.package != self.statuses.event:
            self._endpoint.reply(event, 489, now=now, headers=(("Allow-Events", self.statuses.event),))
        elif caller.user is None or self._find_user(request, event.flow) != caller.account:
            self._endpoint.reply(event, 403, now=now)
        else:
            status, headers = self.statuses.publish(request, caller.account, now)
            self._endpoint.begin(event, now).respond(status, now, headers=headers)

    # -- states that change, and ends

    def changed(self, package: str, topic: str, now: float) -> None:
        """The state of a user is another: tell who watches it."""
        watchers = self._by_topic.get((package, topic))
        if watchers:
            for notifier in list(watchers):
                notifier.changed(now)

    def on_registration(self, user: str, now: float) -> None:
        """The user's registrations changed."""
        if self._by_topic:
            self.changed("reg", user, now)
            self.changed("presence", user, now)

    def _on_dialogs(self, topic: str, now: float) -> None:
        self.changed("dialog", topic, now)
        self.changed("presence", topic, now)

    def ended(self, subscription: Any, cause: str) -> None:
        """A subscription is over."""
        watch = subscription.context
        if watch.is_over:
            return
        watch.is_over = True
        group = self._by_topic.get((watch.package.event, watch.topic), {})
        self.ended_total[cause] = self.ended_total.get(cause, 0) + 1
        self._release(watch.package)
        if group.pop(subscription, None) is None:
            return
        if not group:
            del self._by_topic[watch.package.event, watch.topic]
        held = self._by_account[watch.account]
        held.discard(subscription)
        if not held:
            del self._by_account[watch.account]
        if self._by_key.get(watch.key) is subscription:
            del self._by_key[watch.key]

    def _release(self, package: Package) -> None:
        if package in (self.dialogs, self.statuses):
            self._call_watchers -= 1
            if not self._call_watchers:
                self.on_watched(False)
                self._stop_watching()

    def _stop_watching(self) -> None:
        if not self._call_watchers and not self._is_needed_elsewhere:
            self.dialogs.unwatch()

    @property
    def is_watched(self) -> bool:
        """Whether anybody here watches calls."""
        return self._call_watchers > 0

    def set_needed_elsewhere(self, is_needed: bool, now: float) -> None:
        """Subscribers of other workers want to know of the calls here, or do not any more."""
        self._is_needed_elsewhere = is_needed
        if is_needed:
            self.dialogs.watch(self._calls, now)
        else:
            self._stop_watching()

    def _terminate(self, notifier: sip.Notifier, reason: str, now: float) -> None:
        notifier.terminate(now, reason)
        self.ended(notifier, reason)

    def stop(self, now: float) -> None:
        """The switch ends: phones may subscribe again at once, to whoever is there then (RFC 6665 §4.1.3)."""
        for notifier in list(self._by_key.values()):
            self._terminate(notifier, "deactivated", now)

    # -- the clock, and questions

    def next_timer(self) -> float | None:
        """When a publication may have expired; subscriptions are the engine's business."""
        return self.statuses.next_timer()

    def handle_timer(self, now: float) -> None:
        """Forget what has expired."""
        self.statuses.handle_timer(now)

    def __len__(self) -> int:
        return len(self._by_key)

    def subscriptions(self, now: float) -> list[dict[str, object]]:
        """Who watches what of whom."""
        return [
            {
                "watcher": watch.account,
                "user": watch.topic,
                "event": watch.package.event,
                "contact": watch.contact,
                "expires": round(notifier.expires_at - now),
            }
            for group in self._by_topic.values()
            for notifier, watch in group.items()
        ]


def _accepts(request: sip.Request, content_type: str) -> bool:
    accepted = {part.partition(";")[0].strip().lower() for part in request.get_list("accept")}
    kind = content_type.partition("/")[0]
    return not accepted or not accepted.isdisjoint({content_type, f"{kind}/*", "*/*"})
