"""Trunks that prove themselves by digest when they call in (RFC 3261 §22)."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from switchroom.switch.calls.access.auth import (
    Authenticated,
    AuthenticatedTrunk,
    Authenticator,
    Challenged,
    Refused,
)
from switchroom.switch.calls.access.guard import Guard
from switchroom.switch.config import AuthConfig, TrunkConfig, UserConfig
from tests.switch.calls.trunks.line import Line, flow

USERS = [UserConfig.model_validate({"name": "bob", "password": "b"})]
TRUNK = TrunkConfig.model_validate({"name": "acme", "username_in": "acme-in", "password_in": "secret"})


def authenticator(*trunks: TrunkConfig) -> Authenticator:
    return Authenticator(USERS, AuthConfig(), "x", Guard(on_alert=lambda _: None), trunks=trunks)


def asked(one: Authenticator, name: str, password: str, method: str = "INVITE") -> object:
    request = Line().request(method)
    first = one.authenticate(request, flow("203.0.113.5"), 1.0)
    assert isinstance(first, Challenged)
    client = sip.DigestClient(name, password)
    assert client.receive_challenge(request.response(401, headers=first.headers), request)
    client.authorize(request)
    return one.authenticate(request, flow("203.0.113.5"), 1.0)


def test_it_may_call_for_anybody() -> None:
    assert asked(authenticator(TRUNK), "acme-in", "secret") == AuthenticatedTrunk("acme")


def test_it_may_not_register() -> None:
    assert asked(authenticator(TRUNK), "acme-in", "secret", "REGISTER") == Refused(403)


@pytest.mark.parametrize(("name", "password"), [("acme-in", "wrong"), ("acme", "secret"), ("bob", "secret")])
def test_nobody_else_is_it(name: str, password: str) -> None:
    assert isinstance(asked(authenticator(TRUNK), name, password), Challenged)


def test_a_user_is_still_a_user() -> None:
    assert asked(authenticator(TRUNK), "bob", "b") == Refused(403)  # From is not his
    assert not isinstance(asked(authenticator(TRUNK), "bob", "b"), Authenticated)


def test_a_reload_takes_it_away() -> None:
    one = authenticator(TRUNK)
    one.update(USERS, AuthConfig())
    assert isinstance(asked(one, "acme-in", "secret"), Challenged)
