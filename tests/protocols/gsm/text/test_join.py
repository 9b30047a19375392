"""Parts joined again: any order, some twice, some never, and bounded."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import gsm
from switchroom.protocols.gsm import Concatenation, Fragment, Joined, Joiner, JoinerConfig


def fragment(
    number: int, total: int = 3, *, reference: int = 1, key: object = "a", data: bytes = b""
) -> Fragment:
    return Fragment((key,), Concatenation(reference, total, number), data or b"%d" % number, id=number)


def events(joiner: Joiner) -> list[Joined]:
    found = []
    while (event := joiner.next_event()) is not None:
        found.append(event)
    return found


@given(st.lists(st.text(min_size=1, max_size=600), min_size=1, max_size=5), st.randoms())
def test_texts_come_back_from_any_order(texts: list[str], rng: random.Random) -> None:
    sent = []
    for reference, text in enumerate(texts):
        sent += [part for part in gsm.split(text, reference=reference) if part.header.concatenation]
    sent += rng.sample(sent, len(sent) // 2)  # and some twice
    rng.shuffle(sent)
    joiner = Joiner()
    for part in sent:
        assert part.header.concatenation is not None
        joiner.receive_fragment(Fragment("k", part.header.concatenation, part.data, part), 0.0)
    whole = events(joiner)
    assert all(joined.is_whole for joined in whole)
    found = ["".join(f.id.text for f in joined.fragments) for joined in whole]  # type: ignore[attr-defined]
    assert sorted(found) == sorted(text for text in texts if len(gsm.split(text)) > 1)
    assert len(joiner) == joiner.octets == 0


def test_copies_are_told_from_new_messages() -> None:
    joiner = Joiner(JoinerConfig(remember=60.0))
    assert joiner.receive_fragment(fragment(1, 2), 0.0)
    assert not joiner.receive_fragment(fragment(1, 2), 1.0)
    assert joiner.receive_fragment(fragment(2, 2), 2.0)
    assert not joiner.receive_fragment(fragment(2, 2), 3.0)  # late: the message is whole already
    assert [joined.is_whole for joined in events(joiner)] == [True]
    assert joiner.receive_fragment(fragment(2, 2, data=b"other"), 4.0)  # the reference has come round
    assert joiner.receive_fragment(fragment(2, 2), 63.0)  # forgotten; another text with that reference
    (lone,) = events(joiner)
    assert (lone.is_whole, lone.missing, lone.fragments[0].data) == (False, (1,), b"other")


def test_a_message_that_stays_incomplete_comes_out_as_it_is() -> None:
    joiner = Joiner(JoinerConfig(timeout=10.0))
    joiner.receive_fragment(fragment(3), 0.0)
    joiner.receive_fragment(fragment(1), 5.0)
    assert joiner.next_timer() == 10.0
    joiner.handle_timer(9.9)
    assert events(joiner) == []
    joiner.handle_timer(10.0)
    (joined,) = events(joiner)
    assert [f.id for f in joined.fragments] == [1, 3]
    assert joined.missing == (2,)
    assert joiner.next_timer() is None


def test_orphans_do_not_push_out_a_good_message() -> None:
    """THREATS E4: 10^5 orphans of others, then a message of three parts arrives whole; nothing is dropped."""
    joiner = Joiner(JoinerConfig(max_messages=1000, max_octets=100_000, max_messages_per_key=8))
    for n in range(100_000):
        orphan = fragment(1, 3, reference=n % 256, key=n % 777, data=b"orphan %d" % n)
        assert joiner.receive_fragment(orphan, n / 1000)
        assert len(joiner) <= 1000
        assert joiner.octets <= 100_000
        if n in (99_000, 99_300, 99_600):
            joiner.receive_fragment(fragment((n - 98_700) // 300, 3, key="good"), n / 1000)
    given_out = events(joiner)
    assert [[f.id for f in j.fragments] for j in given_out if j.is_whole] == [[1, 2, 3]]
    joiner.handle_timer(1e9)
    given_out += events(joiner)
    assert sum(len(joined.fragments) for joined in given_out) == 100_003


def test_what_was_kept_is_taken_up_again() -> None:
    joiner = Joiner()
    joiner.restore([(fragment(2), -100.0), (fragment(3), -50.0)])
    assert joiner.next_timer() == -100.0 + joiner.config.timeout
    joiner.receive_fragment(fragment(1), 0.0)
    assert [joined.is_whole for joined in events(joiner)] == [True]
