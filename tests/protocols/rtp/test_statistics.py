"""Jitter and counters of a stream; RFC 3550 A.8."""

from __future__ import annotations

import pytest

from switchroom.protocols import rtp


def packet(number: int, timestamp: int, size: int = 160) -> rtp.Packet:
    return rtp.Packet(0, number % 65536, timestamp % (1 << 32), 7, bytes(size))


def test_a_steady_stream_has_no_jitter_across_the_wrap_of_its_timestamp() -> None:
    statistics = rtp.Statistics(7, 8000)
    for number in range(100):
        statistics.receive(packet(number, (1 << 32) - 8000 + 160 * number), 1000 + number * 0.02)
    assert statistics.jitter_ms < 0.2
    assert (statistics.packets_received, statistics.bytes_received) == (100, 16000)
    assert statistics.received_at == pytest.approx(1001.98)


def test_jitter_follows_the_formula() -> None:
    statistics = rtp.Statistics(7, 8000)
    expected = 0.0
    delays = [0, 10, 0, 20, 0, 5]
    for number, delay in enumerate(delays):
        statistics.receive(packet(number, 160 * number), number * 0.02 + delay * 0.001)
        if number:
            expected += (abs(delay - delays[number - 1]) * 8 - expected) / 16
    assert statistics.jitter == pytest.approx(expected, abs=1.5)
    assert statistics.jitter_ms == pytest.approx(expected / 8, abs=0.2)


def test_tells_whether_to_believe_a_packet() -> None:
    statistics = rtp.Statistics(7, 8000)
    assert not statistics.receive(packet(1, 0), 0.0)
    assert statistics.receive(packet(2, 160), 0.02)
