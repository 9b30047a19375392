"""The small parts of the engine: identifiers, flows, timers."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip


def test_identifiers_differ_and_tell_who_minted_them() -> None:
    mint = sip.Mint(3, 700)
    made = [make() for _ in range(1500) for make in (mint.branch, mint.tag, mint.call_id)]
    assert len(set(made)) == len(made)
    assert {sip.Mint.slot_of(identifier) for identifier in made} == {(3, 700)}
    assert mint.branch().startswith("z9hG4bK")


def test_at_least_64_bits_cannot_be_guessed() -> None:
    first, second = (sip.Mint(random=lambda size, fill=fill: bytes([fill]) * size) for fill in (0, 255))
    one, other = first.tag(), second.tag()
    assert (one[-16:], other[-16:]) == ("0" * 16, "f" * 16)


@pytest.mark.parametrize("foreign", ["", "abc", "z9hG4bK", "z9hG4bK" + "g" * 28, "a" * 27, "A" * 28])
def test_foreign_identifiers_tell_nothing(foreign: str) -> None:
    assert sip.Mint.slot_of(foreign) is None
    assert not sip.Mint().is_own_branch(foreign)


def test_workers_of_one_switch_know_each_others_branches() -> None:
    one, other = sip.Mint(0, 1, secret=b"shared"), sip.Mint(1, 9, secret=b"shared")
    assert one.is_own_branch(other.branch())
    assert one.is_own_branch(one.branch())
    assert not one.is_own_branch(sip.Mint(0, 1, secret=b"another").branch())
    assert not sip.Mint().is_own_branch(sip.Mint().branch())  # two switches that were told nothing


def test_a_tag_for_a_key_is_always_the_same_and_secret() -> None:
    mint = sip.Mint()
    assert mint.tag_for("key") == mint.tag_for("key")
    assert mint.tag_for("key") != mint.tag_for("other")
    assert mint.tag_for("key") != sip.Mint().tag_for("key")
    assert mint.tag_for("\udcff") != mint.tag_for("")


@pytest.mark.parametrize(("slot", "generation"), [(-1, 0), (256, 0), (0, -1), (0, 65536)])
def test_slots_and_generations_have_bounds(slot: int, generation: int) -> None:
    with pytest.raises(ValueError, match=r"0\.\.255"):
        sip.Mint(slot, generation)


def test_flows() -> None:
    udp = sip.Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
    assert not udp.is_reliable
    assert udp.replace(transport="TCP").is_reliable


def test_timers_follow_t1() -> None:
    assert sip.Timers().timeout == 32.0
    assert sip.Timers(t1=0.1).timeout == pytest.approx(6.4)


@pytest.mark.parametrize("wrong", [{"t1": 0}, {"t1": 5.0}, {"t4": 0}, {"c": -1}, {"ring_interval": 0}])
def test_timers_that_would_never_end_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        sip.Timers(**wrong)
