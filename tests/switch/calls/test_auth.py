"""Digest authentication of requests (RFC 3261 §22; THREATS B9, B11, C4, C5, C6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import sip
from switchroom.protocols.sip import digest
from switchroom.protocols.sip.digest import (
    MD5,
    SHA_256,
    Challenge,
    Credentials,
    DigestClient,
    compute_response,
)
from switchroom.protocols.sip.flow import Flow
from switchroom.switch.calls.access.auth import Authenticated, Authenticator, Challenged, Ignored, Refused
from switchroom.switch.calls.access.guard import Guard
from switchroom.switch.config import AuthConfig, UserConfig

REALM = "switchroom.example"
ALICE = UserConfig(name="alice", password="wonderland", number="1001")
BOB = UserConfig(name="bob", password="builder", number="1002")
SWITCH = ("192.0.2.1", 5060)
FLOW = Flow("UDP", SWITCH, ("192.0.2.7", 5062))
NEIGHBOUR = Flow("UDP", SWITCH, ("192.0.2.8", 5062))
NOW = 1000.0


def make_authenticator(**config):
    return Authenticator([ALICE, BOB], AuthConfig(**config), REALM, Guard())


def make_request(method="REGISTER", user="alice", *, uri=f"sip:{REALM}", to=None, authorization=()):
    headers = [
        ("Via", "SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK1"),
        ("From", f"<sip:{user}@{REALM}>;tag=1"),
        ("To", f"<sip:{to or user}@{REALM}>"),
        ("Call-ID", "c1"),
        ("CSeq", f"1 {method}"),
        *(("Authorization", value) for value in authorization),
    ]
    return sip.Request(method, uri, headers)


def answered(outcome, request, *, user="alice", password="wonderland"):
    """The request again, with the answer to the challenge."""
    client = DigestClient(user, password)
    assert client.receive_challenge(sip.Response(outcome.status, None, outcome.headers), request)
    client.authorize(request)
    return request


def log_in(authenticator, request=None, *, flow=FLOW, now=NOW, **who):
    request = request or make_request()
    outcome = authenticator.authenticate(request, flow, now)
    return authenticator.authenticate(answered(outcome, request, **who), flow, now)


def challenges_of(outcome):
    assert isinstance(outcome, Challenged)
    assert {name for name, _ in outcome.headers} == {"WWW-Authenticate"}
    return [Challenge.parse(value) for _, value in outcome.headers]


def digest_for(
    challenge, *, user="alice", password="wonderland", uri=f"sip:{REALM}", method="REGISTER", **changes
):
    """Credentials by hand, with what is wrong about them."""
    a1 = digest.compute_a1(user, challenge.realm, password, challenge.algorithm)
    said = {"qop": "auth", "nc": "00000001", "cnonce": "c", "nonce": challenge.nonce, **changes}
    response = compute_response(
        a1, method, uri, said["nonce"], challenge.algorithm, said["qop"], said["nc"], said["cnonce"]
    )
    return str(
        Credentials(user, challenge.realm, uri=uri, response=response, algorithm=challenge.algorithm, **said)
    )


# -- the usual way


@pytest.mark.parametrize("algorithms", [[SHA_256, MD5], [MD5, SHA_256]])
def test_without_credentials_both_algorithms_are_offered_in_the_configured_order(algorithms):
    authenticator = make_authenticator(algorithms=algorithms)
    outcome = authenticator.authenticate(make_request(), FLOW, NOW)
    assert outcome.status == 401
    challenges = challenges_of(outcome)
    assert [c.algorithm for c in challenges] == algorithms
    assert {(c.realm, c.qop, c.is_stale) for c in challenges} == {(REALM, ("auth",), False)}


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "MESSAGE", "SUBSCRIBE"])
def test_who_knows_the_password_is_authenticated(method):
    assert log_in(make_authenticator(), make_request(method)) == Authenticated(ALICE)


@pytest.mark.parametrize("algorithm", [SHA_256, MD5])
def test_either_algorithm_will_do(algorithm):
    authenticator = make_authenticator(algorithms=[algorithm])
    (challenge,) = challenges_of(authenticator.authenticate(make_request(), FLOW, NOW))
    assert challenge.algorithm == algorithm
    assert log_in(authenticator) == Authenticated(ALICE)


def test_an_algorithm_that_is_not_offered_is_not_accepted():
    authenticator = make_authenticator(algorithms=["SHA-256"])
    (challenge,) = challenges_of(authenticator.authenticate(make_request(), FLOW, NOW))
    downgraded = digest_for(challenge._replace(algorithm=MD5))
    challenges_of(authenticator.authenticate(make_request(authorization=[downgraded]), FLOW, NOW))


@pytest.mark.parametrize(
    ("agent", "offered"),
    [
        ("baresip v1.0.0 (x86_64/linux)", [MD5]),
        ("baresip v3.11.0", [MD5]),
        ("baresip v3.12.0", [MD5, SHA_256]),
        ("baresip v4.1.0", [MD5, SHA_256]),
        ("Phone v1.0.0", [MD5, SHA_256]),
        ("SIP.js/0.21.2", [MD5]),
        ("JsSIP 3.10.1", [MD5]),
    ],
)
def test_phones_that_choke_on_sha_256_are_offered_md5_alone(agent, offered):
    request = make_request()
    request.add("User-Agent", agent)
    outcome = make_authenticator().authenticate(request, FLOW, NOW)
    assert [challenge.algorithm for challenge in challenges_of(outcome)] == offered


def test_browsers_are_offered_md5_alone_whatever_their_page_calls_itself():
    outcome = make_authenticator().authenticate(make_request(), FLOW.replace(transport="WSS"), NOW)
    assert [challenge.algorithm for challenge in challenges_of(outcome)] == [MD5]


def test_credentials_for_other_realms_do_not_disturb():
    authenticator = make_authenticator()
    request = make_request()
    answered(authenticator.authenticate(request, FLOW, NOW), request)
    other = 'Digest username="x", realm="other", nonce="n", uri="sip:x", response="00"'
    request.insert_first("Authorization", other)
    request.add("Authorization", "Bearer abc")
    assert authenticator.authenticate(request, FLOW, NOW) == Authenticated(ALICE)


def test_the_uri_may_be_written_in_another_way():
    authenticator = make_authenticator()
    request = make_request(uri=f"sip:{REALM}")
    challenge = challenges_of(authenticator.authenticate(request, FLOW, NOW))[0]
    value = digest_for(challenge, uri=f"sip:{REALM.upper()}")
    assert authenticator.authenticate(make_request(authorization=[value]), FLOW, NOW) == Authenticated(ALICE)


def test_an_ack_is_not_answered():
    assert make_authenticator().authenticate(make_request("ACK"), FLOW, NOW) == Ignored()


def test_a_reload_changes_users_and_passwords():
    authenticator = make_authenticator()
    assert log_in(authenticator) == Authenticated(ALICE)
    changed = UserConfig(name="alice", password="looking-glass", number="1001")
    authenticator.update([changed], AuthConfig(nonce_lifetime=10))
    challenges_of(log_in(authenticator))
    assert log_in(authenticator, password="looking-glass") == Authenticated(changed)
    challenges_of(log_in(authenticator, make_request(user="bob"), user="bob", password="builder"))


# -- who may be whom


@pytest.mark.parametrize("user", ["alice", "1001", "%61lice", "%31001"])
def test_an_account_has_its_name_and_its_number(user):
    assert log_in(make_authenticator(), make_request(user=user)) == Authenticated(ALICE)


@pytest.mark.parametrize(
    ("method", "user", "to"),
    [
        ("REGISTER", "bob", "bob"),
        ("REGISTER", "alice", "bob"),
        ("REGISTER", "bob", "alice"),
        ("REGISTER", "1002", "1002"),
        ("REGISTER", "Alice", "Alice"),
        ("INVITE", "bob", "1002"),
        ("INVITE", "%00", "1002"),
    ],
)
def test_nobody_registers_or_calls_as_another(method, user, to):
    assert log_in(make_authenticator(), make_request(method, user, to=to)) == Refused(403)


def test_a_from_without_user_is_nobodys():
    request = make_request()
    request.set("From", f"<sip:{REALM}>;tag=1")
    assert log_in(make_authenticator(), request) == Refused(403)


def test_a_call_to_another_is_allowed():
    assert log_in(make_authenticator(), make_request("INVITE", to="1002")) == Authenticated(ALICE)


# -- replay and forgery: C6


def test_a_replay_is_stale():
    authenticator = make_authenticator()
    request = make_request()
    answered(authenticator.authenticate(request, FLOW, NOW), request)
    assert authenticator.authenticate(request, FLOW, NOW) == Authenticated(ALICE)
    assert all(c.is_stale for c in challenges_of(authenticator.authenticate(request, FLOW, NOW)))


def test_a_nonce_serves_many_requests_with_rising_count():
    authenticator = make_authenticator()
    client = DigestClient("alice", "wonderland")
    request = make_request()
    outcome = authenticator.authenticate(request, FLOW, NOW)
    client.receive_challenge(sip.Response(401, None, outcome.headers), request)
    for i in range(5):
        client.authorize(request)
        assert authenticator.authenticate(request, FLOW, NOW + i) == Authenticated(ALICE)


@pytest.mark.parametrize(
    ("flow", "now"), [(NEIGHBOUR, NOW), (FLOW, NOW + 300.1)], ids=["another source", "too late"]
)
def test_a_nonce_elsewhere_or_too_late_is_stale(flow, now):
    authenticator = make_authenticator()
    request = make_request()
    answered(authenticator.authenticate(request, FLOW, NOW), request)
    assert all(c.is_stale for c in challenges_of(authenticator.authenticate(request, flow, now)))


def test_another_port_of_the_same_source_is_the_same_phone():
    authenticator = make_authenticator()
    request = make_request()
    answered(authenticator.authenticate(request, FLOW, NOW), request)
    moved = FLOW.replace(remote=("192.0.2.7", 50000))
    assert authenticator.authenticate(request, moved, NOW) == Authenticated(ALICE)


@pytest.mark.parametrize("uri", ["sip:other.example", f"sip:alice@{REALM}", f"sips:{REALM}", "/index.html"])
def test_a_digest_for_another_uri_is_refused(uri):
    authenticator = make_authenticator()
    challenge = challenges_of(authenticator.authenticate(make_request(), FLOW, NOW))[0]
    request = make_request(authorization=[digest_for(challenge, uri=uri)])
    assert authenticator.authenticate(request, FLOW, NOW) == Refused(400)


def test_a_digest_for_another_method_is_wrong():
    authenticator = make_authenticator()
    challenge = challenges_of(authenticator.authenticate(make_request(), FLOW, NOW))[0]
    request = make_request("INVITE", authorization=[digest_for(challenge, method="REGISTER")])
    assert not any(c.is_stale for c in challenges_of(authenticator.authenticate(request, FLOW, NOW)))
    assert authenticator.guard.failures == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"qop": None, "nc": None, "cnonce": None},
        {"qop": "auth-int"},
        {"nonce": "made-up"},
        {"nc": "00000000"},
    ],
)
def test_what_could_be_replayed_is_challenged_again_and_no_failure(changes):
    authenticator = make_authenticator()
    challenge = challenges_of(authenticator.authenticate(make_request(), FLOW, NOW))[0]
    request = make_request(authorization=[digest_for(challenge, **changes)])
    challenges_of(authenticator.authenticate(request, FLOW, NOW))
    assert authenticator.guard.failures == 0


# -- odd headers: B11


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (["Digest"], 400),
        (["Digest x"], 400),
        ([""], 401),
        (["Basic YTpi"], 401),
        (["NoOneKnowsThisScheme opaque-data=here"], 401),
        (["Digest " + "x=1," * 5000], 400),
        (["Basic a"] * 9, 400),
        ([f'Digest username="a",realm="{REALM}",nonce="n",uri="sip:x",response="00"'] * 2, 400),
        (
            [
                f'Digest username="a",realm="{REALM}",nonce="n",uri=":",response="00",'
                "qop=auth,nc=00000001,cnonce=c"
            ],
            400,
        ),
    ],
)
def test_odd_authorization_headers(values, status):
    outcome = make_authenticator().authenticate(make_request(authorization=values), FLOW, NOW)
    assert isinstance(outcome, Challenged | Refused)
    assert outcome.status == status


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])), max_size=4), st.booleans())
def test_no_authorization_header_raises(values, is_digest):
    request = make_request()
    for value in values:
        request.add("Authorization", f"Digest {value}" if is_digest else value)
    outcome = make_authenticator().authenticate(request, FLOW, NOW)
    assert isinstance(outcome, Challenged | Refused)


def test_a_request_whose_sender_cannot_be_read_is_refused():
    authenticator = make_authenticator()
    request = make_request()
    answered(authenticator.authenticate(request, FLOW, NOW), request)
    request.set("From", "<<<")
    assert authenticator.authenticate(request, FLOW, NOW) == Refused(400)


# -- it tells nobody who exists: C4


def shape(outcome):
    values = [Challenge.parse(value)._replace(nonce="") for _, value in outcome.headers]
    return outcome.status, [name for name, _ in outcome.headers], values


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER"])
def test_an_unknown_user_gets_the_answer_to_a_wrong_password(method):
    authenticator = make_authenticator()
    wrong = log_in(authenticator, make_request(method), password="guess")
    unknown = log_in(authenticator, make_request(method, "mallory"), user="mallory", password="guess")
    assert shape(wrong) == shape(unknown)


@pytest.mark.parametrize("algorithm", [SHA_256, MD5])
def test_an_unknown_user_costs_the_work_of_a_wrong_password(algorithm, monkeypatch):
    hashed = []

    class Sealer(digest.Sealer):
        """Tells how much it seals."""

        def seal(self, text):
            hashed.append(len(text))
            return super().seal(text)

    def counting(*said):
        hashed.append([None if text is None else len(text) for text in said])
        return compute_response(*said)

    monkeypatch.setattr(digest, "compute_response", counting)
    monkeypatch.setattr(digest, "Sealer", Sealer)
    authenticator = make_authenticator(algorithms=[algorithm])
    work = {}
    for user in ("alice", "mallo"):
        request = make_request(user=user)
        answered(authenticator.authenticate(request, FLOW, NOW), request, user=user, password="guess")
        hashed.clear()
        challenges_of(authenticator.authenticate(request, FLOW, NOW))
        work[user] = list(hashed)
    assert work["alice"] == work["mallo"]
    assert len(work["alice"]) == 3  # the nonce's seal, the response, the next nonce's seal


def test_no_password_is_right_for_an_unknown_user():
    authenticator = make_authenticator()
    for password in ("", "mallory", "None"):
        challenges_of(log_in(authenticator, make_request(user="mallory"), user="mallory", password=password))
    challenges_of(log_in(authenticator, make_request(user=""), user="", password=""))


# -- guessing and floods: C5, B9


def test_after_twenty_guesses_nobody_listens_not_even_to_the_right_password():
    authenticator = make_authenticator()
    heard = 0
    for i in range(60):
        request = make_request()
        outcome = authenticator.authenticate(request, FLOW, NOW + i / 50)
        if isinstance(outcome, Challenged):
            answered(outcome, request, password=f"guess{i}")
            heard += isinstance(authenticator.authenticate(request, FLOW, NOW + i / 50), Challenged)
    assert heard == 20
    assert authenticator.authenticate(make_request(), FLOW, NOW + 2) == Ignored()
    assert log_in(authenticator, flow=NEIGHBOUR, now=NOW + 2) == Authenticated(ALICE)
    assert log_in(authenticator, now=NOW + 700) == Authenticated(ALICE)  # the ban ends


def test_the_right_password_in_a_banned_source_is_not_looked_at():
    authenticator = make_authenticator(max_failures=3)
    request = make_request()
    right = answered(authenticator.authenticate(request, FLOW, NOW), request)
    for _ in range(3):
        log_in(authenticator, password="guess")
    assert authenticator.authenticate(right, FLOW, NOW) == Ignored()


def test_guesses_with_one_nonce_are_counted_too():
    authenticator = make_authenticator(max_failures=5)
    challenge = challenges_of(authenticator.authenticate(make_request(), FLOW, NOW))[0]
    outcomes = [
        authenticator.authenticate(make_request(authorization=[digest_for(challenge, password=p)]), FLOW, NOW)
        for p in "abcdefgh"
    ]
    assert [type(outcome) for outcome in outcomes] == [Challenged] * 5 + [Ignored] * 3


def test_a_flood_without_credentials_keeps_no_state_and_ends_unheard():
    authenticator = make_authenticator(max_unanswered=10)
    outcomes = [authenticator.authenticate(make_request("INVITE"), FLOW, NOW) for _ in range(20)]
    assert [type(outcome) for outcome in outcomes] == [Challenged] * 10 + [Ignored] * 10
    broken = make_request(authorization=["Digest x"])
    assert authenticator.authenticate(broken, FLOW, NOW) == Ignored()
    assert len(authenticator._nonces) == 0
    request = make_request()
    right = answered(outcomes[0], request)
    assert authenticator.authenticate(right, FLOW, NOW) == Authenticated(ALICE)  # who has a nonce is heard
    assert log_in(authenticator, flow=NEIGHBOUR) == Authenticated(ALICE)
