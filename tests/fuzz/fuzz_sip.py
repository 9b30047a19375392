"""Fuzzes the SIP message layer: nothing but RemoteProtocolError may come out, and both twins must agree.

    python tests/fuzz/fuzz_sip.py -max_total_time=180 [CORPUS]          # any option of libFuzzer

The torture messages of RFC 4475, where present, and our own samples are the seeds.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # at the end: our codecs/ must not hide Python's

with atheris.instrument_imports(include=["switchroom.protocols.sip"]):
    from tests import twins
    from tests.protocols.sip import interrogate, samples

    PLAIN, COMPILED = (
        twins.load("switchroom.protocols.sip", "_message", variant) for variant in twins.VARIANTS
    )


def fuzz_one(data: bytes) -> None:
    """Let both twins read it as a message, and the framer as a stream."""
    assert interrogate.describe(PLAIN, data) == interrogate.describe(COMPILED, data)
    text = data[:200].decode("utf-8", "surrogateescape")
    for kind in ("Uri", "NameAddr", "Via", "CSeq"):
        one = interrogate.attempt(partial(getattr(PLAIN, kind).parse, text))
        assert one == interrogate.attempt(partial(getattr(COMPILED, kind).parse, text))
    interrogate.attempt(lambda: read_stream(data))


def read_stream(data: bytes) -> None:
    """Cut a stream that comes in small pieces."""
    framer = PLAIN.StreamFramer()
    for at in range(0, len(data), 50):
        framer.receive_data(data[at : at + 50])
        while framer.next_message() is not None:
            pass


def write_seeds(folder: Path) -> None:
    """Messages to begin with."""
    vectors = ROOT / os.environ.get("SWITCHROOM_VECTORS", "../shared/vectors") / "rfc4475"
    for path in vectors.glob("*.dat"):
        (folder / path.stem).write_bytes(path.read_bytes())
    (folder / "invite").write_bytes(samples.INVITE)
    (folder / "short").write_bytes(samples.request("Contact: *", "l: 0"))


def main() -> None:
    """Fuzz until libFuzzer's limit."""
    with tempfile.TemporaryDirectory() as folder:
        write_seeds(Path(folder))
        options = [
            "-max_len=4096",
            "-timeout=5",
            f"-artifact_prefix={tempfile.gettempdir()}/",
            *sys.argv[1:],
            folder,
        ]
        atheris.Setup([sys.argv[0], *options], fuzz_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
