"""Run by test_networks.py in network namespaces of its own: one switch here, telephones in other namespaces.

A socket stays in the namespace where it was made: ``with inside("far")`` makes a telephone that is far away.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .harness import PASSWORD, Switch, users
from .phone import Dialog, Phone
from .raw import Message, audio, media_address
from .rtp import Sound

PORT = 5060
_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def run(*commands: str) -> None:
    for command in commands:
        subprocess.run(command.split(), check=True)


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Sockets made here belong to this namespace."""
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{name}") as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def network(name: str, ours: str, theirs: str) -> None:
    """A namespace at the other end of a wire; ``ours`` and ``theirs`` with the size of the prefix."""
    nodad = " nodad" if ":" in ours else ""
    run(
        f"ip netns add {name}",
        f"ip link add name {name} type veth peer name wire netns {name}",
        f"ip addr add {ours} dev {name}{nodad}",
        f"ip link set {name} up",
        f"ip -n {name} link set lo up",
        f"ip -n {name} addr add {theirs} dev wire{nodad}",
        f"ip -n {name} link set wire up",
    )


def switch(folder: Path, *listen: str, **sip: object) -> Switch:
    """It listens everywhere; loopback is where its commands come from."""
    made = Switch(
        folder,
        users=users([1001, 1002]),
        sip={"listen": list(listen) or [f"udp:0.0.0.0:{PORT}"], **sip},
        log={"level": "debug"},
    )
    made.address = ("127.0.0.1", PORT)
    return made


def telephone(name: str, user: str, host: str, server: str) -> Phone:
    """A registered telephone in a namespace, which knows the switch by that address."""
    domain = f"[{server}]:{PORT}" if ":" in server else f"{server}:{PORT}"
    with inside(name):
        made = Phone((server, PORT), user, PASSWORD, local=(host, 0), domain=domain)
    assert made.register().status == 200
    return made


def sound(name: str, host: str) -> Sound:
    with inside(name):
        return Sound(host)


def described(one: Sound) -> bytes:
    body = audio(one.host, one.port)
    return body.replace(b"IP4", b"IP6") if ":" in one.host else body


def connect(a: Phone, b: Phone, a_sound: Sound, b_sound: Sound) -> tuple[Dialog, Dialog, Message]:
    """A call between two telephones: each side's dialog, and the answer to the caller."""
    dialog = a.start_call(b.user, described(a_sound))
    called = b.incoming()
    b.accept(called, described(b_sound))
    answer = a.answered(dialog)
    a_sound.remote = media_address(answer.body)
    b_sound.remote = media_address(invite_of(called).body)
    return dialog, called, answer


def invite_of(dialog: Dialog) -> Message:
    assert isinstance(dialog.invite, Message)
    return dialog.invite


def hear_each_other(a: Sound, b: Sound, count: int = 20) -> None:
    for speaker, listener in ((a, b), (b, a)):
        listener.heard.clear()
        speaker.send(count)
        assert listener.receive(count, 5.0) == count, (speaker.host, listener.host, len(listener.heard))
        assert listener.heard_with(speaker.mark[:4]) == count


def hang_up(a: Phone, dialog: Dialog, called: Dialog) -> None:
    a.send(dialog.request("BYE"))
    called.answer_bye()
    assert a.final(method="BYE", call_id=dialog.call_id).status == 200


def shows(message: Message, host: str, *hidden: str) -> None:
    """Contact, description and Via name this host of ours; what is hidden is nowhere."""
    place = f"[{host}]:{PORT}" if ":" in host else f"{host}:{PORT}"
    assert message.target.removeprefix("sip:").rpartition("@")[2].startswith(place), message.target
    assert media_address(message.body)[0] == host, message.body
    if not message.is_response:
        assert message.get("via").split()[1].startswith(place), message.get("via")
    for one in hidden:
        assert one not in str(message), (one, message)


# ---- the cases


def nat(folder: Path) -> None:
    """A switch at 192.168.7.2 that is 198.51.100.7 outside; one telephone is outside, one is not."""
    network("router", "192.168.7.2/24", "192.168.7.1/24")
    run(
        "ip route add default via 192.168.7.1",
        "ip netns add outside",
        "ip -n router link add name far type veth peer name wire netns outside",
        "ip -n router addr add 198.51.100.1/24 dev far",
        "ip -n router addr add 198.51.100.7/24 dev far",
        "ip -n router link set far up",
        "ip -n outside addr add 198.51.100.20/24 dev wire",
        "ip -n outside link set wire up",
        "ip netns exec router sysctl -qw net.ipv4.ip_forward=1",
        "ip netns exec router nft add table ip nat",
        "ip netns exec router nft add chain ip nat pre { type nat hook prerouting priority -100 ; }",
        "ip netns exec router nft add chain ip nat post { type nat hook postrouting priority 100 ; }",
        "ip netns exec router nft add rule ip nat pre iifname far ip daddr 198.51.100.7 dnat to 192.168.7.2",
        "ip netns exec router nft add rule ip nat post oifname far ip saddr 192.168.7.2 snat to 198.51.100.7",
    )
    with (
        switch(folder, public_address="198.51.100.7"),
        telephone("outside", "1001", "198.51.100.20", "198.51.100.7") as far,
        telephone("router", "1002", "192.168.7.1", "192.168.7.2") as near,
        sound("outside", "198.51.100.20") as far_sound,
        sound("router", "192.168.7.1") as near_sound,
    ):
        dialog, called, answer = connect(far, near, far_sound, near_sound)
        shows(answer, "198.51.100.7", "192.168.7.")
        shows(invite_of(called), "192.168.7.2", "198.51.100.20")
        hear_each_other(far_sound, near_sound)
        hang_up(far, dialog, called)
        dialog, called, answer = connect(near, far, near_sound, far_sound)
        shows(answer, "192.168.7.2", "198.51.100.20")
        shows(invite_of(called), "198.51.100.7", "192.168.7.")
        hear_each_other(far_sound, near_sound)
        hang_up(near, dialog, called)


OURS = {"left": "192.0.2.1", "right": "203.0.113.1", "six": "2001:db8::1"}
THEIRS = {"left": "192.0.2.9", "right": "203.0.113.9", "six": "2001:db8::9"}


def networks(folder: Path) -> None:
    """Three networks, one of them of IPv6: each leg has our address in the network of its telephone."""
    for name, ours in OURS.items():
        size = 64 if ":" in ours else 24
        network(name, f"{ours}/{size}", f"{THEIRS[name]}/{size}")
    with switch(folder, f"udp:0.0.0.0:{PORT}", f"udp:[::]:{PORT}"):
        for one, other in (("left", "right"), ("right", "left"), ("six", "left"), ("right", "six")):
            with (
                telephone(one, "1001", THEIRS[one], OURS[one]) as a,
                telephone(other, "1002", THEIRS[other], OURS[other]) as b,
                sound(one, THEIRS[one]) as a_sound,
                sound(other, THEIRS[other]) as b_sound,
            ):
                dialog, called, answer = connect(a, b, a_sound, b_sound)
                shows(answer, OURS[one], *(host for name, host in OURS.items() if name != one))
                shows(invite_of(called), OURS[other], *(h for name, h in OURS.items() if name != other))
                hear_each_other(a_sound, b_sound)
                hang_up(a, dialog, called)
                for phone in (a, b):
                    assert phone.register(expires=0).status == 200


def address(folder: Path) -> None:
    """Our address in a telephone's network goes away in a call and comes back: the call goes on."""
    network("left", "192.0.2.1/24", "192.0.2.9/24")
    network("right", "203.0.113.1/24", "203.0.113.9/24")
    with (
        switch(folder) as made,
        telephone("left", "1001", "192.0.2.9", "192.0.2.1") as a,
        telephone("right", "1002", "203.0.113.9", "203.0.113.1") as b,
        sound("left", "192.0.2.9") as a_sound,
        sound("right", "203.0.113.9") as b_sound,
    ):
        dialog, called, _ = connect(a, b, a_sound, b_sound)
        hear_each_other(a_sound, b_sound)
        run("ip addr del 192.0.2.1/24 dev left")
        made.wait_said("net.address_down")
        a_sound.heard.clear()
        b_sound.send(20)
        assert not a_sound.receive(1, 0.2)
        (call,) = made.calls()
        assert call["state"] == "up"
        run("ip addr add 192.0.2.1/24 dev left")
        made.wait_said("net.address_up")
        hear_each_other(a_sound, b_sound)
        hang_up(a, dialog, called)
        assert made.wait_record()["cause"] == 200
        dialog, called, _ = connect(b, a, b_sound, a_sound)
        shows(invite_of(called), "192.0.2.1", "203.0.113.")
        hear_each_other(a_sound, b_sound)
        hang_up(b, dialog, called)


if __name__ == "__main__":
    run("mount -t tmpfs none /run", "ip link set lo up")
    os.makedirs("/run/netns", exist_ok=True)
    {"nat": nat, "networks": networks, "address": address}[sys.argv[1]](Path(sys.argv[2]))
