"""The E-model and bursts, by the figures of G.107, G.113 and RFC 3611."""

from __future__ import annotations

import pytest

from switchroom.codecs import CODECS
from switchroom.switch.media.quality.bursts import bursts_of
from switchroom.switch.media.quality.emodel import (
    IMPAIRMENTS,
    delay_impairment,
    impairment_of,
    mos,
    r_factor,
)
from switchroom.switch.media.quality.judgement import judge
from switchroom.switch.media.stream import Detail, Heard, Runs


@pytest.mark.parametrize(
    ("rating", "opinion"),
    [(93.2, 4.41), (90, 4.34), (80, 4.02), (70, 3.6), (60, 3.1), (50, 2.58), (0, 1), (100, 4.5)],
)
def test_the_opinion_that_goes_with_a_rating(rating: float, opinion: float) -> None:
    assert mos(rating) == pytest.approx(opinion, abs=0.01)  # G.107 table B.1, G.109


@pytest.mark.parametrize(("delay", "cost"), [(0, 0), (100, 0), (200, 3), (300, 14), (400, 24)])
def test_what_delay_costs(delay: float, cost: float) -> None:
    assert delay_impairment(delay) == pytest.approx(cost, abs=1.5)  # G.107 figure: R against Ta


def test_codecs_cost_what_the_table_says() -> None:
    assert r_factor("PCMU/8000", 0) == 93.2
    assert r_factor("G729/8000", 0) == pytest.approx(82.2)
    assert r_factor("GSM/8000", 0) == pytest.approx(73.2)
    assert r_factor("unheard-of", 0) == pytest.approx(83.2)


def test_loss_and_bursts_cost_more_and_more() -> None:
    ratings = [r_factor("PCMA/8000", loss) for loss in (0, 0.01, 0.03, 0.1, 0.5, 1)]
    assert ratings == sorted(ratings, reverse=True)
    assert r_factor("PCMA/8000", 0.01) == pytest.approx(93.2 - 95 / 26.1)
    assert r_factor("PCMA/8000", 0.05, burst_ratio=1) > r_factor("PCMA/8000", 0.05, burst_ratio=3) - 95
    assert r_factor("G729/8000", 0.03) < r_factor("PCMA/8000", 0.03)


def test_every_codec_of_ours_has_its_figures() -> None:
    for codec in CODECS.values():
        assert impairment_of(codec.format.name) in IMPAIRMENTS.values(), codec.format.name


def test_a_stream_without_losses_is_one_gap() -> None:
    bursts = bursts_of(Runs(c11=500), 20)
    assert (bursts.burst_density, bursts.gap_density, bursts.burst_ms) == (0, 0, 0)
    assert bursts.gap_ms == 10_000
    assert bursts.ratio == 1


def test_losses_far_apart_are_a_gap_too() -> None:
    bursts = bursts_of(Runs(c11=490, c14=10), 20)
    assert bursts.gap_density == pytest.approx(0.02)
    assert bursts.burst_ms == 0
    assert bursts.ratio == 1


def test_bursts() -> None:
    """Ten times: three in a row, two packets, two in a row; then a hundred packets."""
    bursts = bursts_of(Runs(c11=1000, c13=10, c22=10, c23=10, c33=30), 20)
    assert 0.5 < bursts.burst_density <= 1
    assert bursts.gap_ms == pytest.approx(20 * 101)
    assert bursts.burst_ms == pytest.approx(20 * 7, rel=0.2)
    assert bursts.ratio == pytest.approx(2.5 * (1 - 50 / 1080))


def test_a_judgement_knows_both_round_trips() -> None:
    near = judge("PCMU/8000", Detail(ssrc=1, expected=100, counted=100), 0, None)
    assert (near.mos, near.round_trip_ms, near.delay_ms) == (4.41, None, 60)
    far = judge("PCMU/8000", Detail(ssrc=1, heard=Heard(round_trip=0.3, mos=38)), 50, 0.3)
    assert far.delay_ms == pytest.approx(300 + 20 + 100)
    assert far.mos < 3.6
    assert (far.round_trip_ms, far.remote_mos) == (300, 3.8)
    lossy = judge("PCMU/8000", Detail(ssrc=1, expected=100, counted=90, runs=Runs(c11=90, c14=10)), 0, None)
    assert lossy.loss == pytest.approx(0.1)
    assert lossy.mos < 3.5
