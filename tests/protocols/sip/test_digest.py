"""Digest authentication: grammar, arithmetic and nonces (RFC 7616, RFC 8760)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols.errors import ProtocolError, RemoteProtocolError
from switchroom.protocols.sip.digest import (
    ALGORITHMS,
    MAX_HEADER_SIZE,
    MD5,
    SHA_256,
    Challenge,
    Credentials,
    Nonces,
    compute_a1,
    compute_response,
)

from ... import twins

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
REALM = "http-auth@example.org"
MUFASA = {
    MD5: "8ca523f5e9506fed4657c9700eebdbec",
    SHA_256: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}
ANSWER = 'Digest username="a", realm="r", nonce="n", uri="sip:b", response="00"'
COUNTED = "qop=auth,nc=0000000a,cnonce=c"
SOURCE = "192.0.2.7"


@pytest.fixture(params=twins.VARIANTS)
def reader(request):
    """The module with each of its two readers."""
    return twins.load("switchroom.protocols.sip.digest", "_digest", request.param)


# -- arithmetic


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_example_of_rfc_7616_section_3_9_1(algorithm):
    a1 = compute_a1("Mufasa", REALM, "Circle of Life", algorithm)
    args = ("GET", "/dir/index.html", NONCE, algorithm, "auth", "00000001", CNONCE)
    assert compute_response(a1, *args) == MUFASA[algorithm]


def test_the_example_of_rfc_2617_section_3_5():
    a1 = compute_a1("Mufasa", "testrealm@host.com", "Circle Of Life")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    response = compute_response(a1, "GET", "/dir/index.html", nonce, MD5, "auth", "00000001", "0a4f113b")
    assert response == "6629fae49393a05397450978507c4ef1"


def test_without_qop_it_is_the_corrected_example_of_rfc_2069():
    a1 = compute_a1("Mufasa", "testrealm@host.com", "CircleOfLife")
    response = compute_response(a1, "GET", "/dir/index.html", "dcd98b7102dd2f0e8b11d0f600bfb0c093")
    assert response == "1949323746fe6a43ef61f9606e7febea"


def test_names_and_passwords_are_hashed_as_utf_8():
    assert compute_a1("Jäsøn", "r", "pässwörd") != compute_a1("Jasøn", "r", "pässwörd")


# -- grammar


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_credentials_of_rfc_7616_are_read_and_prove_the_password(algorithm):
    credentials = Credentials.parse(
        f'Digest username="Mufasa",\trealm="{REALM}", uri="/dir/index.html", algorithm={algorithm}, '
        f'nonce="{NONCE}", nc=00000001, cnonce="{CNONCE}", qop=auth, response="{MUFASA[algorithm]}", '
        f'opaque="{OPAQUE}"'
    )
    assert credentials == Credentials(
        "Mufasa",
        REALM,
        NONCE,
        "/dir/index.html",
        MUFASA[algorithm],
        algorithm,
        "auth",
        "00000001",
        CNONCE,
        OPAQUE,
    )
    assert credentials.nonce_count == 1
    assert credentials.is_proof_of(compute_a1("Mufasa", REALM, "Circle of Life", algorithm), "GET")
    assert not credentials.is_proof_of(compute_a1("Mufasa", REALM, "Circle of life", algorithm), "GET")
    assert not credentials.is_proof_of(compute_a1("Mufasa", REALM, "Circle of Life", algorithm), "PUT")


@pytest.mark.parametrize(
    "value",
    [
        f'Digest username="a",realm="r",nonce="n",uri="sip:b",response="0f",{COUNTED}',
        'digest nc=0000000A , cnonce=c,qop="auth" ,response="0F",uri="sip:b",nonce=n,realm="r",username="a"',
        'DIGEST USERNAME=a, Realm=r, nOnce=n, uri=sip:b, response=0f, qop=AUTH, nc="0000000a", cnonce="c",',
        f'Digest ,, username="a"\t,realm="r",nonce="n",uri="sip:b",response="0f",{COUNTED},x="y,z"',
        f' Digest\tusername="\\a",realm="r",nonce="n",uri="sip:b",response="0f",{COUNTED} ',
    ],
)
def test_order_case_quotes_and_space_do_not_matter(reader, value):
    credentials = reader.Credentials.parse(value)
    assert (credentials.username, credentials.realm, credentials.nonce) == ("a", "r", "n")
    assert (credentials.uri, credentials.response, credentials.algorithm) == ("sip:b", "0f", MD5)
    assert (credentials.qop, credentials.nonce_count, credentials.cnonce) == ("auth", 10, "c")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Digest",
        "Digest ",
        "Basic YTpi",
        "NoOneKnowsThisScheme opaque-data=here",  # RFC 4475 §3.3.7
        f"{ANSWER}, realm=r",
        f'{ANSWER}, x="1", X="2"',
        f"{ANSWER} opaque=x",
        f"{ANSWER}, opaque",
        f"{ANSWER}, opaque=",
        f"{ANSWER}, =x",
        f'{ANSWER}, opaque="x',
        f'{ANSWER}, opaque="x"y',
        f'{ANSWER}, opaque=x"',
        f'{ANSWER}, opaque="\\',
        f'{ANSWER}, opaque="a\0b"',
        f'{ANSWER}, opaque="a\x7fb"',
        f'{ANSWER}, opaque="a\udcffb"',
        f'{ANSWER}, opaque="a\\\nb"',
        f"{ANSWER}, Digest realm=x",
        f"{ANSWER}, qop=auth",
        f"{ANSWER}, qop=auth, nc=00000001",
        f"{ANSWER}, nc=1",
        f"{ANSWER}, nc=0x000001",
        f"{ANSWER}, nc=+0000001",
        f"{ANSWER}, nc=\u0660000000\u0661",
        ANSWER.replace('"00"', '""'),
        ANSWER.replace('"00"', '"\u0660\u0660"'),
        ANSWER.replace('"00"', '"0 0"'),
        ANSWER.replace("username", "user"),
        ANSWER.replace("realm", "realms"),
        ANSWER.replace("nonce", "once"),
        ANSWER.replace("uri", "url"),
        ANSWER.replace("response", "answer"),
        ANSWER + "".join(f", p{i}=1" for i in range(40)),
        ANSWER + f', opaque="{"x" * MAX_HEADER_SIZE}"',
    ],
)
def test_credentials_that_are_refused(reader, value):
    with pytest.raises(RemoteProtocolError) as caught:
        reader.Credentials.parse(value)
    assert caught.value.status == 400


def test_the_unchanged_credentials_are_accepted():
    assert Credentials.parse(ANSWER).nonce_count == 0


def test_a_challenge_of_rfc_8760():
    challenge = Challenge.parse(
        'Digest realm="atlanta.example.com", qop="auth, auth-int", algorithm=sha-256, '
        'nonce="f84f1cec41e6cbe5aea9c8e88d359", opaque="5ccc", stale=FALSE'
    )
    assert challenge == Challenge(
        "atlanta.example.com", "f84f1cec41e6cbe5aea9c8e88d359", SHA_256, ("auth", "auth-int"), "5ccc"
    )
    assert challenge.can_be_answered


@pytest.mark.parametrize("value", ["Digest realm=r", "Digest nonce=n", "Negotiate"])
def test_challenges_that_are_refused(value):
    with pytest.raises(RemoteProtocolError):
        Challenge.parse(value)


@pytest.mark.parametrize("rest", ["algorithm=SHA-512-256", "algorithm=MD5-sess", 'qop="auth-int"'])
def test_challenges_that_nobody_here_can_answer(rest):
    assert not Challenge.parse(f"Digest realm=r, nonce=n, {rest}").can_be_answered


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
hexes = st.text("0123456789abcdef", min_size=1, max_size=64)


@given(texts, texts, texts, texts, hexes, st.sampled_from(ALGORITHMS), texts, st.none() | texts)
def test_credentials_survive_the_wire(name, realm, nonce, uri, response, algorithm, cnonce, opaque):
    credentials = Credentials(
        name, realm, nonce, uri, response, algorithm, "auth", "000000ff", cnonce, opaque
    )
    assert Credentials.parse(str(credentials)) == credentials
    old_style = Credentials(name, realm, nonce, uri, response, algorithm, opaque=opaque)
    assert Credentials.parse(str(old_style)) == old_style


@given(
    texts,
    texts,
    st.sampled_from(ALGORITHMS),
    st.sampled_from([(), ("auth",)]),
    st.none() | texts,
    st.booleans(),
)
def test_challenges_survive_the_wire(realm, nonce, algorithm, qop, opaque, is_stale):
    challenge = Challenge(realm, nonce, algorithm, qop, opaque, is_stale)
    assert Challenge.parse(str(challenge)) == challenge


scraps = st.text('"\\,= \tax\0\u0130', max_size=6)
values = scraps.map(lambda text: f'"{text}"') | scraps
headers = st.lists(
    st.tuples(st.sampled_from(["algorithm", "qop", "opaque", "stale", "nc", "cnonce", "NC", ""]), values)
).map(lambda pairs: f"{ANSWER}," + ",".join(f"{name}={value}" for name, value in pairs))


@given(st.text(max_size=100) | headers)
def test_the_twins_read_the_same(value):
    plain = twins.load("switchroom.protocols.sip.digest", "_digest", "plain")
    compiled = twins.load("switchroom.protocols.sip.digest", "_digest", "compiled")
    assert plain.parse_parameters is not compiled.parse_parameters
    assert outcome_of(plain.parse_parameters, value) == outcome_of(compiled.parse_parameters, value)


def outcome_of(parse, value):
    try:
        return parse(value)
    except ProtocolError as error:
        return error.status


@given(st.text(max_size=100) | headers)
def test_nothing_but_the_protocol_error_comes_out(value):
    for parse in (Challenge.parse, Credentials.parse):
        try:
            read = parse(value)
        except RemoteProtocolError:
            continue
        assert parse(str(read)) == read


def test_any_credentials_can_be_checked():
    credentials = Credentials.parse(ANSWER.replace('"a"', '"ä\U0001f600"'))
    assert not credentials.is_proof_of("00", "REGISTER")


# -- nonces


def test_a_nonce_is_good_until_it_expires():
    nonces = Nonces(b"secret", 300.0)
    nonce = nonces.mint(SOURCE, 1000.0)
    assert nonces.is_valid(nonce, SOURCE, 1000.0)
    assert nonces.is_valid(nonce, SOURCE, 1300.0)
    assert not nonces.is_valid(nonce, SOURCE, 1300.01)


def test_a_nonce_belongs_to_the_source_and_to_the_switch():
    nonces = Nonces(b"secret")
    nonce = nonces.mint(SOURCE, 1000.0)
    assert not nonces.is_valid(nonce, "192.0.2.8", 1000.0)
    assert not Nonces(b"other").is_valid(nonce, SOURCE, 1000.0)
    assert Nonces(b"secret").is_valid(nonce, SOURCE, 1000.0)  # workers that share the secret


def test_no_nonce_is_given_twice():
    nonces = Nonces(b"secret")
    assert len({nonces.mint(SOURCE, 1000.0) for _ in range(1000)}) == 1000


def test_no_octet_of_a_nonce_can_be_changed():
    nonces = Nonces(b"secret")
    nonce = nonces.mint(SOURCE, 1000.0)
    for i, octet in enumerate(nonce):
        forged = nonce[:i] + ("0" if octet != "0" else "1") + nonce[i + 1 :]
        assert not nonces.is_valid(forged, SOURCE, 1000.0)


@given(st.text(max_size=40) | st.text("0123456789abcdef_é", min_size=34, max_size=34))
def test_a_made_up_nonce_is_not_valid(nonce):
    assert not Nonces(b"secret").is_valid(nonce, SOURCE, 1000.0)


def test_the_nonce_count_must_grow():
    nonces = Nonces(b"secret")
    nonce = nonces.mint(SOURCE, 1000.0)
    assert nonces.is_replay(nonce, 0)
    assert not nonces.is_replay(nonce, 1)
    nonces.use(nonce, 1, 1001.0)
    assert nonces.is_replay(nonce, 1)
    assert not nonces.is_replay(nonce, 2)
    nonces.use(nonce, 7, 1002.0)
    assert nonces.is_replay(nonce, 6)
    assert not nonces.is_replay(nonce, 8)


def test_nothing_is_kept_for_who_has_not_authenticated():
    nonces = Nonces(b"secret")
    for i in range(1000):
        nonces.is_valid(nonces.mint(SOURCE, 1000.0 + i), SOURCE, 1000.0 + i)
    assert len(nonces) == 0


def test_expired_nonces_leave_the_table():
    nonces = Nonces(b"secret", 300.0)
    for i in range(1000):
        nonces.use(nonces.mint(SOURCE, 1000.0 + i), 1, 1000.0 + i)
        assert len(nonces) <= 301


def test_a_nonce_used_too_late_is_not_kept():
    nonces = Nonces(b"secret", 300.0)
    nonces.use(nonces.mint(SOURCE, 1000.0), 1, 1301.0)
    assert len(nonces) == 0


def test_a_nonce_that_had_to_be_forgotten_is_not_accepted_again():
    nonces = Nonces(b"secret", 300.0, max_used=2)
    unused = nonces.mint(SOURCE, 999.0)
    given_out = [nonces.mint(SOURCE, 1000.0 + i) for i in range(4)]
    for nonce in given_out[:3]:
        nonces.use(nonce, 1, 1010.0)
    assert len(nonces) == 2
    assert not nonces.is_valid(given_out[0], SOURCE, 1010.0)
    assert not nonces.is_valid(unused, SOURCE, 1010.0)  # as old: it might have been used
    for nonce in given_out[1:]:
        assert nonces.is_valid(nonce, SOURCE, 1010.0)
    assert nonces.is_replay(given_out[2], 1)


# -- the usual form is read by a twin of its own

SAID = (
    *('username="1001"', 'realm="a b"', 'nonce="n"', 'uri="sip:b;x=1,2"', 'response="0a"', "response=00FF"),
    *('qop="auth"', "qop=auth", "qop=AUTH", "nc=00000001", "nc=0000001G", "nc = 00000002", 'cnonce="c"'),
    *("algorithm=MD5", "algorithm=md5", "algorithm=SHA-256", 'opaque=""', "stale=true", 'Realm="r"'),
    *('username="a\\"b"', 'username="é"', "nonce=", "qop", "=x", 'uri="', 'cnonce="\t"', 'opaque="\x7f"'),
)
CREDENTIALS = st.tuples(
    st.sampled_from(["Digest ", "digest ", "Digest\t", " Digest ", "Digest", "Basic "]),
    st.permutations(SAID[:5]),
    st.lists(st.sampled_from(SAID), max_size=6),
    st.sampled_from([",", ", ", " , ", " ", ",,", ",\t"]),
    st.sampled_from(["", ",", " ", "x"]),
).map(lambda c: c[0] + c[3].join([*c[1], *c[2]]) + c[4])


@given(CREDENTIALS | st.text(max_size=60).map("Digest ".__add__))
def test_both_readers_find_the_same_credentials(value):
    reader = twins.load("switchroom.protocols.sip.digest", "_digest", "compiled")
    try:
        found = reader.read_credentials(value)
    except RemoteProtocolError as error:
        with pytest.raises(RemoteProtocolError, match=re.escape(str(error))):
            reader.plain_read_credentials(value)
    else:
        assert found == reader.plain_read_credentials(value)


def test_the_usual_form_is_read():
    reader = twins.load("switchroom.protocols.sip.digest", "_digest", "compiled")
    value = ANSWER + ", algorithm=MD5, qop=auth, nc=00000001, cnonce=c"
    expected = "a", "r", "n", "sip:b", "00", MD5, "auth", "00000001", "c", None
    assert reader.read_credentials(value) == expected == reader.plain_read_credentials(value)
