"""The kernel's part of the relay, in network namespaces (child_kernel.py), and what it is made of."""

from __future__ import annotations

import asyncio
import errno
import shutil
import subprocess
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane
from switchroom.switch.media._engine import KERNEL_LAYOUT
from switchroom.switch.media.kernel import open_kernel, relay
from switchroom.switch.media.kernel.assembler import R0, R1, R2, R3, R9, R10, Assembler, If, Op, Size
from switchroom.switch.media.kernel.bpf import BpfError
from switchroom.switch.media.kernel.program import assemble, key_of
from switchroom.switch.media.kernel.relay import KernelRelay
from switchroom.switch.media.kernel.ways import NoWay, Way

from . import child_hold, child_kernel, child_recoding, child_threats
from .conftest import local_for
from .phones import Call, Phone, rtp

ROOT = Path(__file__).parents[3]
ALONE = ("unshare", "--net", "--mount", "--fork", "--kill-child")


@lru_cache
def missing() -> str:
    """What this machine does not allow; empty when the cases can be run."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return "unshare and ip are not installed"
    probe = "mount -t tmpfs none /run && ip netns add b && ip link add name a type veth peer name c netns b"
    done = subprocess.run([*ALONE, "sh", "-c", probe], capture_output=True, text=True, timeout=20)
    if done.returncode:
        return f"network namespaces are not permitted here: {done.stderr.strip()}"
    relay, reason = open_kernel("auto", 8, KERNEL_LAYOUT)
    if relay is not None:
        relay.close()
    return reason


@pytest.mark.parametrize(
    ("program", "case"),
    [
        (one.__name__, case)
        for one in (child_kernel, child_recoding, child_threats, child_hold)
        for case in one.CASES
    ],
)
def test_in_a_namespace(program: str, case: str) -> None:
    if reason := missing():
        pytest.skip(reason)
    command = [*ALONE, sys.executable, "-m", program, case]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("rights", "said"),
    [("-all,+bpf,+net_admin", ""), ("-all,+net_admin", "no right to it"), ("-all,+bpf", "no right to it")],
)
def test_which_rights_it_takes(rights: str, said: str) -> None:
    if reason := missing():
        pytest.skip(reason)
    program = (
        "from switchroom.switch.media._engine import KERNEL_LAYOUT\n"
        "from switchroom.switch.media.kernel import open_kernel\n"
        "print(open_kernel('auto', 8, KERNEL_LAYOUT)[1])\n"
    )
    command = ["setpriv", f"--bounding-set={rights}", "--inh-caps=-all", sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip().startswith(said), done.stdout
    assert bool(done.stdout.strip()) == bool(said)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BpfError(errno.EINVAL, "Invalid argument"), "has not what it takes (Linux 6.6): Invalid argument"),
        (BpfError(errno.ENOSYS, "bpf on sparc64"), "has not what it takes (Linux 6.6): bpf on sparc64"),
        (BpfError(errno.EINVAL, "R1 is wrong\nunknown func 152"), "(Linux 6.6): unknown func 152"),
        (BpfError(errno.EPERM, "Operation not permitted"), "no right to it (CAP_BPF and CAP_NET_ADMIN)"),
        (BpfError(errno.ENOMEM, "Cannot allocate memory"), "Cannot allocate memory"),
    ],
)
async def test_an_older_kernel_is_told(monkeypatch: pytest.MonkeyPatch, error: BpfError, said: str) -> None:
    """The switch starts, relays by itself, and says why; where the kernel is required it does not start."""

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(relay.Map, "hash", refuse)
    plane = MediaPlane(MediaConfig(ports="22000-27999"), local_for, lambda session: None)
    plane.start(asyncio.get_running_loop())
    try:
        assert plane.kernel is None
        assert plane.path.startswith("user space")
        assert plane.path.endswith(said)
        with Phone("127.0.0.2") as a, Phone("127.0.0.3") as b:
            Call(plane, a, b).set_up()
            a.say(rtp(1))
            assert b.hear() == rtp(1)
    finally:
        plane.stop()
    with pytest.raises(OSError, match=r"media\.kernel is required"):
        open_kernel("required", 8, KERNEL_LAYOUT)


# -- instructions, as RFC 9669 writes them


def test_instructions() -> None:
    program = Assembler()
    program.move(R1, 7)
    program.move(R2, R1)
    program.op(Op.SUB, R2, R1, bits=32)
    program.load(Size.HALF, R3, R1, 12)
    program.store(Size.DOUBLE, R10, -8, R3)
    program.store(Size.WORD, R10, -4, -1)
    program.add_atomically(R9, 16, R2)
    program.compare_exchange(R9, 24, R3)
    program.to_big_endian(R2, 16)
    program.load_map(R1, 5)
    program.call(1)
    program.exit()
    assert bytes(program).hex(" ", 8).split() == [
        "b701000007000000",
        "bf12000000000000",
        "1c12000000000000",
        "69130c0000000000",
        "7b3af8ff00000000",
        "620afcffffffffff",
        "db29100000000000",
        "c3391800f1000000",
        "dc02000010000000",
        "1811000005000000",
        "0000000000000000",
        "8500000001000000",
        "9500000000000000",
    ]


def test_jumps_go_forward_and_back_to_their_labels() -> None:
    program = Assembler()
    program.label("again")
    program.jump_if(If.EQ, R0, 3, "end")
    program.jump_if(If.GT, R0, R1, "again", bits=32)
    program.jump("again")
    program.label("end")
    program.exit()
    assert bytes(program).hex(" ", 8).split() == [
        "1500020003000000",
        "2e10feff00000000",
        "0500fdff00000000",
        "9500000000000000",
    ]
    assert len(program) == 4


def test_the_program_reads_only_what_is_laid_out() -> None:
    assert len(assemble(KERNEL_LAYOUT, 3, 4, 5)) % 8 == 0
    offsets = [offset for name, offset in KERNEL_LAYOUT.items() if name != "size"]
    assert len(set(offsets)) == len(offsets)
    assert max(offsets) < KERNEL_LAYOUT["size"]
    assert KERNEL_LAYOUT["size"] % 8 == 0
    with pytest.raises(KeyError):
        assemble({}, 3, 4, 5)


def test_keys() -> None:
    assert key_of("192.0.2.1", 0x1234) == bytes((192, 0, 2, 1, *[0] * 12, 0x12, 0x34, 4, 0))
    assert key_of("2001:db8::1%eth0", 0x1234)[:4] == b"\x20\x01\x0d\xb8"
    assert key_of("::1", 2)[16:] == b"\x00\x02\x06\x00"


# -- what is given and taken back


class Engine:
    def __init__(self) -> None:
        self.done: list[tuple[object, ...]] = []

    def hand_over(self, *way: object) -> None:
        self.done.append(("give", *way))

    def take_back(self, index: int) -> None:
        self.done.append(("take", index))


class Ways:
    """A network of which the test says where packets go."""

    way: Way | str = Way(2, 3, 1500, b"\xc0\x00\x02\x09")

    def forget(self) -> None:
        pass

    def find(self, *hosts: str) -> Way:
        if isinstance(self.way, str):
            raise NoWay(self.way)
        return self.way


class Relay(KernelRelay):
    """One without a kernel."""

    def __init__(self) -> None:
        self.reasons = Counter()
        self._ways = self.ways = Ways()  # type: ignore[assignment]
        self._links = {}
        self._given = {}
        self._keys = self.keys = Keys()  # type: ignore[assignment]

    def _attach(self, interface: int) -> None:
        self._links[interface] = 0


class Keys(dict[bytes, bytes]):
    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def remove(self, key: bytes) -> None:
        del self[key]


def ready(index: int, port: int = 30000) -> tuple[int, int, *tuple[tuple[str, int], ...]]:
    return (index, 1, ("192.0.2.9", 4000), ("192.0.2.1", port), ("203.0.113.1", 5), ("203.0.113.9", 6))


def test_a_way_is_given_under_its_port() -> None:
    relay, engine = Relay(), Engine()
    relay.give(engine, ready(7))  # type: ignore[arg-type]
    assert engine.done == [("give", 2, 3, 1500, b"\xc0\x00\x02\x09")]
    assert relay.keys == {key_of("192.0.2.1", 30000): b"\x07\x00\x00\x00"}
    assert relay.interfaces == [2]
    relay.give(engine, ready(7, 30002))  # type: ignore[arg-type]
    assert relay.keys == {key_of("192.0.2.1", 30002): b"\x07\x00\x00\x00"}  # the old name is gone


def test_only_what_goes_another_way_is_taken_back() -> None:
    relay, engine = Relay(), Engine()
    relay.give(engine, ready(7))  # type: ignore[arg-type]
    relay.reconsider(engine)
    assert engine.done[1:] == []
    relay.ways.way = Way(2, 4, 1500, b"\xc0\x00\x02\x09")
    relay.reconsider(engine)
    assert engine.done[1:] == [("take", 7)]
    assert relay.keys == {}


def test_no_way_is_said_and_counted() -> None:
    relay, engine = Relay(), Engine()
    relay.ways.way = "loopback"
    relay.give(engine, ready(7))  # type: ignore[arg-type]
    assert engine.done == [("give", 0, 0, 0, b"")]
    assert relay.reasons == {"loopback": 1}
