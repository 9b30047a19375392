"""A user agent answers challenges (RFC 3261 §22.1-22.3, RFC 8760 §2.4)."""

from __future__ import annotations

from itertools import count

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.digest import (
    MD5,
    SHA_256,
    Challenge,
    Credentials,
    DigestClient,
    Nonces,
    compute_a1,
)

REALM = "switchroom.example"
SHA = Challenge(REALM, "n1", SHA_256)
OLD = Challenge(REALM, "n1", MD5)


def make_client(**options):
    numbers = count(1)
    return DigestClient("1001", "secret", mint_cnonce=lambda: f"c{next(numbers)}", **options)


def make_request(method="REGISTER"):
    return sip.Request(method, f"sip:{REALM}", [("CSeq", f"1 {method}")])


def challenged(*challenges, status=401):
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return sip.Response(status, None, [(name, value) for value in challenges])


def authorized(client, method="REGISTER", name="Authorization"):
    """The credentials that the client writes into its next request, and that request."""
    request = make_request(method)
    client.authorize(request)
    return [Credentials.parse(value) for value in request.get_all(name)], request


def test_before_a_challenge_nothing_is_said():
    assert authorized(make_client())[0] == []


@pytest.mark.parametrize("offered", [(SHA, OLD), (OLD, SHA), ("Basic realm=x", SHA, 'garbage " =')])
def test_the_strongest_algorithm_is_answered(offered):
    client = make_client()
    assert client.receive_challenge(challenged(*offered), make_request())
    (credentials,), _ = authorized(client)
    assert (credentials.username, credentials.realm) == ("1001", REALM)
    assert (credentials.nonce, credentials.uri) == ("n1", f"sip:{REALM}")
    assert (credentials.algorithm, credentials.qop, credentials.nc) == (SHA_256, "auth", "00000001")
    assert credentials.is_proof_of(compute_a1("1001", REALM, "secret", SHA_256), "REGISTER")


def test_with_qop_before_without():
    client = make_client()
    assert client.receive_challenge(challenged(OLD._replace(qop=()), OLD), make_request())
    assert authorized(client)[0][0].qop == "auth"


def test_a_server_without_qop_is_answered_as_rfc_2069_has_it():
    client = make_client()
    assert client.receive_challenge(challenged(OLD._replace(qop=(), opaque="o")), make_request())
    (credentials,), _ = authorized(client)
    assert (credentials.qop, credentials.nc, credentials.cnonce, credentials.opaque) == (
        None,
        None,
        None,
        "o",
    )
    assert credentials.is_proof_of(compute_a1("1001", REALM, "secret"), "REGISTER")


@pytest.mark.parametrize(
    "response",
    [
        sip.Response(200),
        sip.Response(401),
        challenged("Basic realm=x"),
        challenged(Challenge(REALM, "n", "SHA-512-256")),
        challenged(SHA._replace(qop=("auth-int",))),
        challenged(*["Basic realm=x"] * 8, SHA),
    ],
)
def test_what_cannot_be_answered_is_not(response):
    client = make_client()
    assert not client.receive_challenge(response, make_request())
    assert authorized(client)[0] == []


def test_no_other_realm_gets_a_digest():
    client = make_client(realm=REALM)
    assert not client.receive_challenge(challenged(SHA._replace(realm="evil.example")), make_request())
    assert authorized(client)[0] == []
    assert client.receive_challenge(challenged(SHA._replace(realm="evil.example"), OLD), make_request())
    assert [c.realm for c in authorized(client)[0]] == [REALM]


def test_the_nonce_is_used_again_with_a_higher_count():
    client = make_client()
    client.receive_challenge(challenged(SHA), make_request())
    seen = [authorized(client, "INVITE")[0][0] for _ in range(3)]
    assert [c.nc for c in seen] == ["00000001", "00000002", "00000003"]
    assert len({c.cnonce for c in seen}) == 3
    a1 = compute_a1("1001", REALM, "secret", SHA_256)
    assert all(c.is_proof_of(a1, "INVITE") for c in seen)


def test_credentials_are_replaced_not_added():
    client = make_client()
    client.receive_challenge(challenged(SHA), make_request())
    _, request = authorized(client)
    client.authorize(request)
    assert len(request.get_all("Authorization")) == 1


def test_a_wrong_password_is_tried_once():
    client = make_client()
    assert client.receive_challenge(challenged(SHA), make_request())
    _, request = authorized(client)
    assert not client.receive_challenge(challenged(SHA._replace(nonce="n2")), request)
    assert authorized(client)[0] == []


def test_a_stale_nonce_is_renewed():
    client = make_client()
    client.receive_challenge(challenged(SHA), make_request())
    _, request = authorized(client)
    assert client.receive_challenge(challenged(SHA._replace(nonce="n2", is_stale=True)), request)
    (credentials,), _ = authorized(client)
    assert (credentials.nonce, credentials.nc) == ("n2", "00000001")


def test_the_same_nonce_called_stale_is_not_tried_again():
    client = make_client()
    client.receive_challenge(challenged(SHA), make_request())
    _, request = authorized(client)
    assert not client.receive_challenge(challenged(SHA._replace(is_stale=True)), request)


def test_a_server_that_calls_everything_stale_is_left_alone():
    client = make_client()
    request = make_request()
    rounds = 0
    while client.receive_challenge(challenged(SHA._replace(nonce=f"n{rounds}", is_stale=True)), request):
        _, request = authorized(client)
        rounds += 1
        assert rounds < 10
    assert rounds == 4


def test_a_nonce_that_served_for_long_may_expire_any_number_of_times():
    client = make_client()
    request = make_request()
    for i in range(10):
        assert client.receive_challenge(challenged(SHA._replace(nonce=f"n{i}", is_stale=True)), request)
        authorized(client)
        _, request = authorized(client)


def test_a_proxy_and_a_server_are_answered_side_by_side():
    client = make_client()
    assert client.receive_challenge(challenged(OLD._replace(realm="proxy"), status=407), make_request())
    _, request = authorized(client)
    assert client.receive_challenge(challenged(SHA), request)
    _, request = authorized(client)
    assert Credentials.parse(request.get("Proxy-Authorization")).realm == "proxy"
    assert Credentials.parse(request.get("Authorization")).realm == REALM


def test_a_server_cannot_make_it_collect_realms_without_end():
    client = make_client()
    for i in range(100):
        client.receive_challenge(challenged(SHA._replace(realm=f"r{i}")), make_request())
    assert len(authorized(client)[0]) == 8


def test_it_authenticates_with_our_own_nonces():
    client, nonces = make_client(), Nonces(b"secret")
    nonce = nonces.mint("192.0.2.7", 1000.0)
    client.receive_challenge(challenged(SHA._replace(nonce=nonce)), make_request())
    (credentials,), _ = authorized(client)
    assert nonces.is_valid(credentials.nonce, "192.0.2.7", 1000.1)
    assert not nonces.is_replay(credentials.nonce, credentials.nonce_count)


def test_cnonces_are_random_by_itself():
    clients = [DigestClient("1001", "secret") for _ in range(2)]
    for client in clients:
        client.receive_challenge(challenged(SHA), make_request())
    assert len({authorized(client)[0][0].cnonce for client in clients}) == 2
