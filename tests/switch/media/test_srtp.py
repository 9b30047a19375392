"""SRTP's transforms: the vectors of RFC 3711, 6188 and 7714, and mutated packets under sanitizers (G14)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from switchroom.protocols.srtp import SUITES
from switchroom.switch.media._crypto import Protector
from switchroom.switch.media.stream import Keys

from .phones import receiver_report, rtp
from .test_fuzz import HERE, ROOT, build, run

ROUNDS = 1_000_000 if os.environ.get("SWITCHROOM_LONG") else 150_000
CM_128, CM_256 = (
    "2B7E151628AED2A6ABF7158809CF4F3C",
    ("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98"),
)
CM_SALT = "F0F1F2F3F4F5F6F7F8F9FAFBFCFD"
GCM_128, GCM_SALT = "000102030405060708090a0b0c0d0e0f", "517569642070726f2071756f"
GCM_256 = GCM_128 + "101112131415161718191a1b1c1d1e1f"
GALLIA = (
    "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573"
)
REPORT = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61" + "deadbeef" * 5


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    crypto = ROOT / "switch" / "media" / "crypto" / "libcrypto.c"
    library = ROOT / "codecs" / "native" / "library.c"
    return build(tmp_path_factory.mktemp("srtp"), HERE / "fuzz_srtp_core.c", crypto, library)


def ask(program: Path, *words: str) -> list[str]:
    ran = subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


@pytest.mark.parametrize(
    ("key", "salt", "expected"),
    [
        (  # RFC 3711 B.3
            "E1F97A0D3E018BE0D64FA32C06DE4139",
            "0EC675AD498AFEEBB6960B3AABE6",
            [
                "c61e7a93744f39ee10734afe3ff7a087",
                "cebe321f6ff7716b6fd4ab49af256a156d38baa4",
                "30cbbc08863d8c85d49db34a9ae1",
            ],
        ),
        (  # RFC 6188 §7.2
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
            "3b04803de51ee7c96423ab5b78d2",
            [
                "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
                "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
                "fa31791685ca444a9e07c6c64e93",
            ],
        ),
    ],
)
def test_session_keys(program: Path, key: str, salt: str, expected: list[str]) -> None:
    assert ask(program, "derive", "cm", key, salt) == expected


@pytest.mark.parametrize(
    ("key", "block", "expected"),
    [
        (  # RFC 3711 B.2, its beginning and where the counter runs over
            CM_128,
            "0",
            "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0",
        ),
        (
            CM_128,
            "FEFF",
            "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae6a2cc3787889374fbeb4c81b17ba6c44",
        ),
        (  # RFC 6188 §7.1
            CM_256,
            "0",
            "92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac63c4868b7096d88421b563b8c94c9a31",
        ),
    ],
)
def test_key_streams(program: Path, key: str, block: str, expected: str) -> None:
    assert ask(program, "stream", "cm", key, CM_SALT, block) == [expected]


@pytest.mark.parametrize(
    ("kind", "key", "packet", "index", "expected"),
    [
        (  # RFC 7714 §16.1.1
            "rtp",
            GCM_128,
            GALLIA,
            "f17b",
            "8040f17b8041f8d35501a0b2"
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833"
            "899d7f27beb16a9152cf765ee4390cce",
        ),
        (  # §16.2.1
            "rtp",
            GCM_256,
            GALLIA,
            "f17b",
            "8040f17b8041f8d35501a0b2"
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b"
            "7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
        (  # §17.1
            "rtcp",
            GCM_128,
            REPORT,
            "5d4",
            "81c8000d4d617273"
            "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b"
            "c84aa45896cf4d2fc5abf87245d9eade800005d4",
        ),
        (  # §17.2
            "rtcp",
            GCM_256,
            REPORT,
            "5d4",
            "81c8000d4d617273"
            "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad"
            "1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
        ),
    ],
)
def test_sealed_packets(program: Path, kind: str, key: str, packet: str, index: str, expected: str) -> None:
    assert ask(program, "seal", kind, "gcm", key, GCM_SALT, packet, index) == [expected]


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_packets_never_open(program: Path, seed: int) -> None:
    """Whatever was not protected as it came is nothing, and no octet beyond a packet is looked at."""
    found = re.fullmatch(r"(\d+) packets, (\d+) opened, (\d+) handed up\n", run(program, ROUNDS, seed))
    assert found is not None
    packets, opened, handed = map(int, found.groups())
    assert packets == ROUNDS
    assert opened > ROUNDS // 5
    assert handed > ROUNDS // 20


# -- what one direction promises


def keys(suite: str = "AES_CM_128_HMAC_SHA1_80", mki: bytes = b"") -> Keys:
    return Keys(suite, bytes(range(SUITES[suite].master_size)), mki)


@pytest.mark.parametrize("mki", [b"", b"\1", b"\0\0\0\7", bytes(128)])
@pytest.mark.parametrize("suite", sorted(SUITES))
def test_what_is_protected_opens_once(suite: str, mki: bytes) -> None:
    sender = Protector(keys(suite, mki), is_sender=True)
    receiver = Protector(keys(suite, mki), is_sender=False)
    for seq in range(3):
        sealed = sender.protect(rtp(seq))
        assert rtp(seq)[12:] not in sealed
        assert receiver.unprotect(sealed) == rtp(seq)
        assert receiver.unprotect(sealed) is None
        report = sender.protect(receiver_report(), is_rtcp=True)
        assert receiver.unprotect(report, is_rtcp=True) == receiver_report()
        assert receiver.unprotect(report, is_rtcp=True) is None
    other = Protector(keys(suite, mki[:-1] + b"\x55" if mki else b"\1"), is_sender=True)
    assert receiver.unprotect(other.protect(rtp(9))) is None


def test_packets_out_of_order_open_within_the_window() -> None:
    sender, receiver = Protector(keys(), is_sender=True), Protector(keys(), is_sender=False)
    sealed = [sender.protect(rtp(seq % 65536)) for seq in range(65_400, 65_700)]
    assert receiver.unprotect(sealed[0]) == rtp(65_400)
    assert receiver.unprotect(sealed[160]) == rtp(24)  # behind the rollover
    opened = [i for i in reversed(range(160)) if receiver.unprotect(sealed[i])]
    assert opened == list(range(159, 96, -1))  # 64 with the newest


def test_no_index_serves_twice() -> None:
    """Two packets under one index would show their difference (RFC 3711 §9.1)."""
    sender = Protector(keys(), is_sender=True)
    assert sender.protect(rtp(5)) is not None
    assert sender.protect(rtp(5, ssrc=2)) is not None
    assert sender.protect(rtp(5)) is None
    for ssrc in range(3, 100):  # as many sources as make the first ones give way
        sender.protect(rtp(5, ssrc=ssrc))
    assert sender.protect(rtp(5)) is None


def test_the_wrong_direction_and_what_is_too_large_are_refused() -> None:
    sender, receiver = Protector(keys(), is_sender=True), Protector(keys(), is_sender=False)
    with pytest.raises(ValueError, match="protects"):
        sender.unprotect(rtp(1))
    with pytest.raises(ValueError, match="opens"):
        receiver.protect(rtp(1))
    with pytest.raises(ValueError, match="4000 octets"):
        sender.protect(bytes(4000))
    with pytest.raises(ValueError, match="29 octets"):
        Protector(Keys("AES_CM_128_HMAC_SHA1_80", bytes(29), b""), is_sender=True)
    assert sender.protect(b"") is None
    assert receiver.unprotect(b"\x80") is None
