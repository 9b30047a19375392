"""The configuration: what is believed, and how a fault is told."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.switch.config import (
    Config,
    ConfigError,
    find_restart_keys,
    find_state_dir,
    join_address,
    load,
    read,
    split_address,
    split_listen,
    write_default,
)
from switchroom.switch.config.checks import compile_pattern

ROOT = Path(__file__).parents[2]
USER = '[[users]]\nname = "1001"\npassword = "hunter2-hunter2"\n'


def fault(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text.encode(), overrides, name="f.toml")
    assert len(caught.value.faults) == 1, caught.value.faults
    return caught.value.faults[0]


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    config = read(b"", folder=tmp_path)
    assert config.sip.listen == ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]
    assert (config.sip.t1, config.sip.t2, config.sip.t4) == (0.5, 4.0, 5.0)
    assert config.media.port_range == range(30000, 40000)
    assert config.switch.state_dir == tmp_path / "state"
    assert config.realm == "switchroom"


def test_the_realm_is_the_domain_unless_it_is_given() -> None:
    assert read(b'[switch]\ndomain = "Example.COM"').realm == "example.com"
    assert read(b'[switch]\ndomain = "a.example"\n[auth]\nrealm = "phones"').realm == "phones"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sip]\nt1 = 0", "sip.t1: 0: must be greater than 0"),
        ("[sip]\nt1 = '0.5'", "sip.t1: 0.5: must be a number"),
        ("[sip]\nt1 = true", "sip.t1: True: must be a number"),
        ("[sip]\nt1 = 2026-01-01", "sip.t1: datetime.date(2026, 1, 1): must be a number"),
        ("[sip]\nt1 = nan", "sip.t1: nan: must be a finite number"),
        ("[sip]\nt1 = 5", "sip.t2: 4: must not be less than t1, 5"),
        ("[sip]\nmax_transactions = 1.5", "sip.max_transactions: 1.5: must be a whole number"),
        ("[sip]\ntt1 = 3", "sip.tt1: unknown key; did you mean t1?"),
        ("[spi]\nt1 = 3", "spi: unknown key; did you mean sip?"),
        (
            "[zzz]\nt1 = 3",
            "zzz: unknown key; allowed: switch, sip, tls, websocket, registrar, auth, media, ",
        ),
        ("sip = 3", "sip: 3: must be a table"),
        ("[sip]\nlisten = []", "sip.listen: []: must not be empty"),
        ("[sip]\nlisten = 'udp:0.0.0.0:1'", "sip.listen: udp:0.0.0.0:1: must be a list"),
        (
            "[sip]\nlisten = ['sctp:0.0.0.0:1']",
            "sip.listen.0: sctp:0.0.0.0:1: must be udp:ADDRESS:PORT, tcp:, tls:, ws: or wss:",
        ),
        ("[sip]\nlisten = ['udp:0.0.0.0']", "sip.listen.0: udp:0.0.0.0: needs ADDRESS:PORT"),
        (
            "[sip]\nlisten = ['udp:0.0.0.0:65536']",
            "sip.listen.0: udp:0.0.0.0:65536: needs ADDRESS:PORT",
        ),
        (
            "[sip]\nlisten = ['udp:host:5060']",
            "sip.listen.0: udp:host:5060: the address before the port must be",
        ),
        (
            "[sip]\nlisten = ['udp:::1:5060']",
            "sip.listen.0: udp:::1:5060: an IPv6 address, and only that, stands",
        ),
        (
            "[sip]\nlisten = ['udp:[127.0.0.1]:5060']",
            "sip.listen.0: udp:[127.0.0.1]:5060: an IPv6 address, and",
        ),
        ("[sip]\nlisten = ['udp:[::]:5060', 'UDP:[::0]:5060']", "sip.listen: ["),
        ("[media]\nports = '30000'", "media.ports: 30000: must be FIRST-LAST"),
        ("[media]\nports = '80-90'", "media.ports: 80-90: ports must be from 1024 to 65535"),
        ("[media]\nports = '60000-70000'", "media.ports: 60000-70000: ports must be from 1024 to 65535"),
        ("[media]\nports = '40000-30000'", "media.ports: 40000-30000: must hold an even port"),
        ("[media]\nports = '30001-30002'", "media.ports: 30001-30002: must hold an even port"),
        ("[media]\nports = '5000-6000'", "sip.listen.0: udp:0.0.0.0:5060: must be outside media.ports"),
        ("[media]\naddress = 'here'", "media.address: here: must be an IP address, or empty"),
        ("[media]\ndscp = 64", "media.dscp: 64: must be less than or equal to 63"),
        (
            "[registrar]\nmin_expires = 400\nmax_expires = 300",
            "registrar.default_expires: 3600: must be from",
        ),
        ("[auth]\nalgorithms = ['SHA-1']", "auth.algorithms.0: SHA-1: must be 'SHA-256' or 'MD5'"),
        (
            "[auth]\nalgorithms = ['MD5', 'MD5']",
            "auth.algorithms: ['MD5', 'MD5']: must name each algorithm once",
        ),
        ("[auth]\nrealm = 'a\"b'", 'auth.realm: a"b: has a character that is not allowed'),
        ('[switch]\nname = "a\\r\\nX: y"', "switch.name: a\\r\\nX: y: has a character that is not allowed"),
        ("[switch]\ndomain = 'a b'", "switch.domain: a b: must be an IP address, or empty"),
        ("[switch]\nstate_dir = 3", "switch.state_dir: 3: must be a path"),
        ("[api]\nlisten = '8080'", "api.listen: 8080: needs ADDRESS:PORT"),
        ("[log]\nlevel = 'loud'", "log.level: loud: must be 'debug', 'info', 'warning' or 'error'"),
        ("users = 3", "users: 3: must be a list"),
        ("[[users]]\nname = '1001'", "users.0.password: is missing"),
        ("[[users]]\nname = 'a b'\npassword = 'x'", "users.0.name: a b: must be 1 to 64 letters"),
        ("[[users]]\nname = 'a'\npassword = 'x'\nnumber = 'y'", "users.0.number: y: must be 1 to 32 digits"),
        (USER + USER, "users.1.name: 1001: users.0 has it already"),
        (
            USER + "[[users]]\nname = 'b'\npassword = 'x'\nnumber = '1001'",
            "users.1.number: 1001: users.0 has it",
        ),
        ("[[routes]]\nmatch = ''\nto = 'sip:a@b'", "routes.0.match: : must be digits"),
        ("[[routes]]\nmatch = '[3-1]'\nto = 'sip:a@b'", "routes.0.match: [3-1]: has a choice in brackets"),
        ("[[routes]]\nmatch = '1'\nto = []", "routes.0.to: []: must not be empty"),
        ("[[routes]]\nmatch = '1'\nto = 'user:1'", "routes.0.to: user:1: there is no such user"),
        (
            "[[routes]]\nmatch = '1'\nto = 'trunk:t'",
            "routes.0.to: trunk:t: there is no such trunk with an address",
        ),
        (
            "[[routes]]\nmatch = '1'\nto = 'http://x'",
            "routes.0.to.0: http://x: must be user:NAME, trunk:NAME",
        ),
        (
            "[[trunks]]\nname = 't'\nsources = ['0.0.0.0/0']",
            "trunks.0.sources: ['0.0.0.0/0']: 0.0.0.0/0 would let",
        ),
        (
            "[[trunks]]\nname = 't'\nsources = ['192.0.2.1/24']",
            "trunks.0.sources.0: 192.0.2.1/24: must be a network",
        ),
        ("[[trunks]]\nname = 't'\naddress = 'x'", "trunks.0.address.0: x: must be sip:HOST"),
        ("[[trunks]]\nname = 't'\n[[trunks]]\nname = 't'", "trunks.1.name: t: another trunk has it already"),
        ("[sip", "Expected ']' at the end of a table declaration"),
        ("[sip]\nt1 = 1\nt1 = 2", "Cannot overwrite a value"),
    ],
)
def test_a_fault_names_file_key_value_and_what_is_allowed(text: str, expected: str) -> None:
    found = fault(text)
    assert found.startswith(f"f.toml: {expected}")
    assert "\n" not in found


def test_every_fault_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        read(b"[sip]\nt1 = 0\nt2 = 'x'\n[log]\nlevel = 1")
    assert [line.split(": ")[1] for line in caught.value.faults] == ["sip.t1", "sip.t2", "log.level"]


@pytest.mark.parametrize(
    "text",
    [
        "[[users]]\nname = 'a'\npassword = 12345678",
        "[[users]]\nname = 'a'\npassword = ['12345678']",
        "[[users]]\nname = 'a'\npasswort = '12345678'",
        "[[users]]\nname = 'a b'\npassword = '12345678'",
        "[users]\nname = 'a'\npassword = '12345678'",
        "[sip]\npassword = '12345678'",
        "[[users]]\nname = 'a'\npassword = '12345678'\nnumber = 3\nmax_calls = -1",
    ],
)
def test_no_fault_shows_a_password(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text.encode())
    assert "12345678" not in str(caught.value)


def test_a_password_is_not_shown_by_accident() -> None:
    config = read(USER.encode())
    shown = f"{config} {config!r} {config.model_dump()} {config.model_dump_json()}"
    assert "hunter2" not in shown
    assert config.users[0].password.get_secret_value() == "hunter2-hunter2"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, expected in (
        (tmp_path / "none.toml", "no such file or directory"),
        (tmp_path, "is a directory"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert str(caught.value) == f"{path}: {expected}"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"[sip]\n\xff")
    with pytest.raises(ConfigError, match="octet 6: is not UTF-8"):
        load(binary)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode(errors="replace")))
def test_any_octets_are_a_configuration_or_a_clean_fault(data: bytes) -> None:
    try:
        config = read(data)
    except ConfigError:
        return
    assert config.sip.t1 > 0


def test_deep_nesting_is_a_fault() -> None:
    assert "f.toml: " in fault("a = " + "[" * 100_000)


@pytest.mark.parametrize(
    ("override", "section", "key", "value"),
    [
        ("sip.t1=0.3", "sip", "t1", 0.3),
        ("log.level=debug", "log", "level", "debug"),
        ('log.level="debug"', "log", "level", "debug"),
        ("sip.listen=udp:127.0.0.1:5070", "sip", "listen", ["udp:127.0.0.1:5070"]),
        ("sip.listen=udp:127.0.0.1:1,tcp:[::1]:2", "sip", "listen", ["udp:127.0.0.1:1", "tcp:[::1]:2"]),
        ('sip.listen=["udp:127.0.0.1:1"]', "sip", "listen", ["udp:127.0.0.1:1"]),
        ("api.listen=", "api", "listen", ""),
        ("switch.state_dir=/var/lib/x", "switch", "state_dir", Path("/var/lib/x")),
        (" sip.t2 = 3", "sip", "t2", 3.0),
    ],
)
def test_an_override_wins_over_the_file(override: str, section: str, key: str, value: object) -> None:
    config = read(b"[sip]\nt1 = 1.0\n[log]\nlevel = 'error'", [override])
    assert getattr(getattr(config, section), key) == value


def test_an_override_reaches_into_a_list() -> None:
    config = read(USER.encode(), ["users.0.number=77", "users.0.password=12345678", "users.0.max_calls=2"])
    user = config.users[0]
    assert (user.number, user.password.get_secret_value(), user.max_calls) == ("77", "12345678", 2)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("sip.t1", "--set sip.t1: must be key=value, such as sip.t1=0.5"),
        ("=3", "--set =3: must be key=value, such as sip.t1=0.5"),
        ("users.7.number=3", "--set users.7.number: there is no such key"),
        ("users.x.number=3", "--set users.x.number: there is no such key"),
        ("sip.t1.x=3", "--set sip.t1.x: there is no such key"),
        ("sip.tt1=3", "f.toml: sip.tt1: unknown key; did you mean t1?"),
        ("sip.t1=soon", "f.toml: sip.t1: soon: must be a number"),
    ],
)
def test_an_override_can_be_wrong(override: str, expected: str) -> None:
    assert fault(USER + "[sip]\nt1 = 1.0", override) == expected


@pytest.mark.parametrize(
    ("pattern", "takes", "leaves"),
    [
        ("1000", ["1000"], ["100", "10000", ""]),
        ("1XXX", ["1000", "1999"], ["2000", "19999", "1XXX", "100"]),
        ("+49*", ["+49", "+4930123"], ["49", "+48"]),
        ("*", ["", "1", "alice", "*97"], []),
        ("*97", ["*97"], ["97", "197", "*978"]),
        ("[2-5]X", ["20", "59"], ["19", "60"]),
        ("0.1", ["0.1"], ["0x1", "001"]),
    ],
)
def test_patterns_of_numbers(pattern: str, takes: list[str], leaves: list[str]) -> None:
    route = read(f"[[routes]]\nmatch = '{pattern}'\nto = 'sip:a@192.0.2.1'".encode()).routes[0]
    assert [n for n in (*takes, *leaves) if route.matches(n)] == takes


@given(st.text(alphabet="01X+*#[]-.az^$()|\\", max_size=20), st.text(max_size=40))
def test_any_pattern_is_refused_or_matches_quickly(pattern: str, number: str) -> None:
    try:
        found = compile_pattern(pattern)
    except ValueError:
        return
    found.fullmatch(number)


def test_one_target_is_a_list_of_one() -> None:
    config = read(USER.encode() + b"[[routes]]\nmatch = '1'\nto = 'user:1001'")
    assert config.routes[0].to == ["user:1001"]


def test_a_trunk_knows_where_it_is() -> None:
    text = "[[trunks]]\nname = 't'\nsources = ['192.0.2.0/24', '2001:db8::7']\naddress = '{}'"
    trunk = read(text.format("sip:[2001:DB8::1]:5070;transport=tcp").encode()).trunks[0]
    assert trunk.target == ("2001:db8::1", 5070, "TCP")
    assert trunk.sources == ["192.0.2.0/24", "2001:db8::7/128"]
    assert read(text.format("sip:carrier.example").encode()).trunks[0].target == (
        "carrier.example",
        5060,
        "UDP",
    )
    assert read(text.format("").encode()).trunks[0].target is None


@given(st.ip_addresses().map(str), st.integers(0, 65535))
def test_addresses_go_around(host: str, port: int) -> None:
    assert split_address(join_address(host, port)) == (host, port)
    assert split_listen(f"TCP:{join_address(host, port)}") == ("tcp", host, port)


def test_a_reload_knows_what_needs_a_restart() -> None:
    before = read(b"")
    after = read(
        b"[sip]\nt1 = 0.4\nlisten = ['udp:127.0.0.1:5070']\n[api]\nlisten = ''\n[log]\nlevel = 'debug'"
    )
    assert find_restart_keys(before, after) == ["sip.listen", "api.listen"]
    assert find_restart_keys(before, before) == []


def test_the_state_is_found_whatever_is_wrong_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "switchroom.toml"
    assert find_state_dir(path) == tmp_path / "state"
    for text, expected in (
        ("[switch]\nstate_dir = 'here'\n[sip]\nt1 = 0", tmp_path / "here"),
        ("[switch]\nstate_dir = '/var/lib/x'", Path("/var/lib/x")),
        ("[switch]\nstate_dir = 'here'\n[sip", tmp_path / "state"),
        ("switch = 3", tmp_path / "state"),
        ("[sip]\nt1 = 1", tmp_path / "state"),
    ):
        path.write_text(text)
        assert find_state_dir(path) == expected


def test_the_first_file_is_private_and_good(tmp_path: Path) -> None:
    path = tmp_path / "switchroom.toml"
    write_default(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["switchroom.toml"]
    config = load(path)
    first, second = config.users
    assert (first.name, second.name) == ("1001", "1002")
    assert len(first.password.get_secret_value()) >= 12
    assert first.password != second.password
    assert config.sip.listen == ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]
    assert config.routes[0].to == ["user:1001", "user:1002"]
    with pytest.raises(FileExistsError):
        write_default(path)
    assert load(path) == config
    other = tmp_path / "other.toml"
    write_default(other)
    assert load(other).users[0].password != first.password


# What is off otherwise is on for a first try.
FIRST = {
    "rest": ["http:127.0.0.1:8081", "proxy:127.0.0.1:8082"],
    "docs": True,
    "foreign_senders": True,
    "numbers": ["+15017122661"],
    "webhook_private": ["127.0.0.0/8"],
}


def test_the_first_file_shows_defaults_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "switchroom.toml"
    write_default(path)
    given = tomllib.loads(path.read_text())
    for section in set(given) - {"users", "routes", "sms_routes"}:
        for key, value in given[section].items():
            default = getattr(getattr(Config(), section), key)
            if section == "api" and key in FIRST:
                default = FIRST[key]
            assert value == (str(default) if isinstance(default, Path) else default), f"{section}.{key}"


def test_every_key_is_documented() -> None:
    for name, field in Config.model_fields.items():
        model: Any = field.annotation
        model = next(iter(get_args(model)), model)  # of a list, what it lists
        assert model.__doc__, name
        for key, entry in model.model_fields.items():
            assert entry.description, f"{name}.{key}"
            assert entry.description.endswith((".", "*.")), f"{name}.{key}"
