"""Extended sequence numbers and loss; RFC 3550 A.1, A.3."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols.rtp import Sequence, is_newer


def fed(*numbers: int) -> Sequence:
    sequence = Sequence()
    for number in numbers:
        sequence.update(number)
    return sequence


def test_two_in_sequence_make_a_source_valid() -> None:
    sequence = Sequence()
    assert not sequence.update(100)
    assert not sequence.is_valid
    assert sequence.expected == 0
    assert sequence.update(101)
    assert sequence.is_valid
    assert (sequence.received, sequence.expected, sequence.lost) == (1, 1, 0)


def test_probation_begins_anew_after_a_gap() -> None:
    sequence = fed(1, 5, 9)
    assert not sequence.is_valid
    assert sequence.update(10)


def test_probation_crosses_the_wrap() -> None:
    assert fed(65535, 0).is_valid


def test_loss_is_counted() -> None:
    sequence = fed(1, 2, 3, 6, 7)
    assert (sequence.expected, sequence.received, sequence.lost) == (6, 4, 2)


def test_late_and_doubled_packets_count_as_received() -> None:
    sequence = fed(1, 2, 4, 3, 4)
    assert (sequence.highest, sequence.lost) == (4, -1)


def test_wraps() -> None:
    sequence = fed(65533, 65534, 65535, 0, 1)
    assert sequence.highest == 65537
    assert sequence.lost == 0
    assert sequence.update(65535)  # late, from before the wrap
    assert sequence.highest == 65537


def test_a_jump_is_believed_when_it_goes_on() -> None:
    sequence = fed(1, 2, 3)
    assert not sequence.update(20000)
    assert not sequence.update(40000)
    assert sequence.update(40001)
    assert sequence.resets == 1
    assert (sequence.received, sequence.lost) == (1, 0)


def test_a_single_stray_packet_changes_nothing() -> None:
    sequence = fed(1, 2, 3)
    sequence.update(30000)
    assert sequence.update(4)
    assert (sequence.highest, sequence.lost) == (4, 0)


def test_interval_counts_since_the_last_report() -> None:
    sequence = fed(1, 2, 3, 4)
    assert sequence.interval() == (3, 0)
    for number in (6, 7, 10):
        sequence.update(number)
    assert sequence.interval() == (6, 3)
    assert sequence.interval() == (0, 0)


def test_is_newer_across_the_wrap() -> None:
    assert is_newer(1, 0)
    assert is_newer(5, 65530)
    assert not is_newer(65530, 5)
    assert not is_newer(7, 7)


@given(st.integers(0, 65535), st.lists(st.booleans(), min_size=1, max_size=400))
def test_counts_any_pattern_of_loss(first: int, arrives: list[bool]) -> None:
    sequence = fed(first, (first + 1) % 65536)
    last = 0
    for step, is_there in enumerate(arrives, 1):
        if is_there:
            assert sequence.update((first + 1 + step) % 65536)
            last = step
    assert sequence.received == 1 + sum(arrives)
    assert sequence.lost == last - sum(arrives)


@given(st.lists(st.integers(0, 65535), max_size=300))
def test_takes_any_numbers(numbers: list[int]) -> None:
    sequence = fed(*numbers)
    assert 0 <= sequence.received <= len(numbers)
    assert sequence.highest >= 0
