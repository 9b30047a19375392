"""What does SRTP cost a packet, and what does libsrtp's own transform cost beside it?

    python bench/srtp.py [--streams 1000] [--rounds 200]

Packets of G.711 (172 octets) of many streams in turn, so that no stream's keys stay in the nearest cache:
each is protected, then unprotected. Microseconds of CPU for each, the median of some runs. libsrtp is the one
in the wheel of pylibsrtp, with the OpenSSL that is in it; both are called from C.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import subprocess
from pathlib import Path
from typing import Any

import report
from pylibsrtp import Policy, Session, _binding

HERE = Path(__file__).parent
ROOT = HERE.parent
MEDIA = ROOT / "switch" / "media"
KEY, SALT = bytes(range(32)), bytes(range(64, 78))


class Suite:
    """A cipher, as each side names it."""

    def __init__(self, name: str, cipher: int, key_size: int, salt_size: int, tag: int, profile: int) -> None:
        self.name, self.cipher, self.tag, self.profile = name, cipher, tag, profile
        self.key, self.salt = KEY[:key_size], SALT[:salt_size]


SUITES = (
    Suite("AES_CM_128_HMAC_SHA1_80", 0, 16, 14, 10, Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
    Suite("AEAD_AES_128_GCM", 1, 16, 12, 16, Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
    Suite("AEAD_AES_256_GCM", 1, 32, 12, 16, Policy.SRTP_PROFILE_AEAD_AES_256_GCM),
)


class Config(ctypes.Structure):
    """``struct srtp_config`` of switch/media/crypto/srtp.h."""

    _fields_ = (
        ("cipher", ctypes.c_int),
        ("key", ctypes.c_uint8 * 32),
        ("salt", ctypes.c_uint8 * 14),
        ("mki", ctypes.c_uint8 * 128),
        ("key_size", ctypes.c_uint32),
        ("salt_size", ctypes.c_uint32),
        ("mki_size", ctypes.c_uint32),
        ("tag_size", ctypes.c_uint32),
        ("is_sender", ctypes.c_bool),
    )


class Spent(ctypes.Structure):
    _fields_ = (
        ("protect", ctypes.c_double),
        ("unprotect", ctypes.c_double),
        ("failures", ctypes.c_ulong),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    loops = compile_loops()
    rows = [row for suite in SUITES for row in compare(loops, suite, options)]
    report.show(f"SRTP, {options.streams} streams of 172-octet packets, µs per packet", rows)
    report.save("srtp", rows, vars(options))
    shown = [{**row, "both": row["protect_us"] + row["unprotect_us"]} for row in rows]
    report.plot("srtp", shown, group="suite", bar="by", value="both", unit="µs, protected and unprotected")


def compile_loops() -> ctypes.CDLL:
    target = HERE / "results" / "tmp" / "srtp_core.so"
    target.parent.mkdir(parents=True, exist_ok=True)
    sources = [
        HERE / "srtp_core.c",
        *sorted((MEDIA / "crypto").glob("*.c")),
        ROOT / "codecs/native/library.c",
    ]
    command = ["gcc", "-O3", "-shared", "-fPIC", f"-I{MEDIA}", f"-I{ROOT}", "-o", str(target)]
    subprocess.run([*command, *map(str, sources), "-ldl", "-lpthread"], check=True)
    loops = ctypes.CDLL(str(target))
    loops.ours.restype = loops.theirs.restype = Spent
    return loops


def compare(loops: ctypes.CDLL, suite: Suite, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Both sides in turn, so that what else runs disturbs both."""
    spent: dict[str, list[Spent]] = {"switchroom": [], "libsrtp": []}
    for _ in range(options.repeats):
        spent["switchroom"].append(run_ours(loops, suite, options.streams, options.rounds))
        spent["libsrtp"].append(run_theirs(loops, suite, options.streams, options.rounds))
    packets = options.streams * options.rounds
    rows: list[dict[str, Any]] = []
    for name, runs in spent.items():
        assert not any(run.failures for run in runs), name
        protect, unprotect = (
            statistics.median(getattr(run, way) for run in runs) / packets * 1e6
            for way in ("protect", "unprotect")
        )
        rows.append(
            {
                "suite": suite.name,
                "by": name,
                "protect_us": round(protect, 3),
                "unprotect_us": round(unprotect, 3),
            }
        )
    ours, theirs = (row["protect_us"] + row["unprotect_us"] for row in rows)
    rows[0]["ratio"] = round(ours / theirs, 2)
    rows[1]["ratio"] = 1.0
    return rows


def run_ours(loops: ctypes.CDLL, suite: Suite, streams: int, rounds: int) -> Spent:
    config = Config(suite.cipher, key_size=len(suite.key), salt_size=len(suite.salt), tag_size=suite.tag)
    ctypes.memmove(config.key, suite.key, len(suite.key))
    ctypes.memmove(config.salt, suite.salt, len(suite.salt))
    found: Spent = loops.ours(ctypes.byref(config), streams, rounds)
    return found


def run_theirs(loops: ctypes.CDLL, suite: Suite, streams: int, rounds: int) -> Spent:
    library = ctypes.CDLL(_binding.__file__)
    sides = [
        [
            Session(Policy(suite.key + suite.salt, ssrc_type=kind, srtp_profile=suite.profile))
            for _ in range(streams)
        ]
        for kind in (Policy.SSRC_ANY_OUTBOUND, Policy.SSRC_ANY_INBOUND)
    ]
    pointers = [(ctypes.c_void_p * streams)(*map(pointer_of, side)) for side in sides]
    found: Spent = loops.theirs(library.srtp_protect, library.srtp_unprotect, *pointers, streams, rounds)
    return found


def pointer_of(session: Session) -> int:
    """libsrtp's session behind Python's."""
    pointer = session._srtp
    return int(_binding.ffi.cast("uintptr_t", pointer[0]))


if __name__ == "__main__":
    main()
