"""The catalogue, and what every codec that is ours has in common."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom import codecs

NAMES = [codec.format.name for codec in codecs.CODECS.values() if codec.is_offered]


def test_names_ignore_case_and_may_be_short() -> None:
    assert codecs.find("pcmu/8000") is codecs.find("PCMU/8000")
    assert codecs.find("opus") is codecs.find("opus/48000") is codecs.find("opus/48000/2")
    assert codecs.find("Speex").format.sample_rate == 8000
    assert codecs.find("G721/8000") is codecs.find("G726-32/8000")
    assert codecs.find("L16/44100/2").format == codecs.Format("L16", 44100, 2, 44100)


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(LookupError, match="PCMA/8000"):
        codecs.find("SIREN/8000")


@pytest.mark.parametrize("name", codecs.CODECS)
def test_the_catalogue_says_what_the_codec_says(name: str) -> None:
    codec = codecs.find(name)
    config = codec.config()
    assert (
        codecs.Format(codec.format.encoding, config.clock_rate, config.channels, config.sample_rate)
        == codec.format
    )


def test_static_payload_types_are_those_of_rfc_3551() -> None:
    found = {c.payload_type: c.format.name for c in codecs.CODECS.values() if c.payload_type is not None}
    assert found == {
        0: "PCMU/8000",
        3: "GSM/8000",
        8: "PCMA/8000",
        9: "G722/8000",
        18: "G729/8000",
        10: "L16/44100/2",
        11: "L16/44100",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_packet_time_can_be_made_and_measured(name: str) -> None:
    codec = codecs.find(name)
    config = codec.config()
    for ms in codec.packet_time.of_frames(config.frame_samples, config.sample_rate).choices:
        count = codec.format.sample_rate * ms // 1000
        data = codec.encoder().encode(np.zeros(count * codec.format.channels, np.int16))
        assert codec.config().measure(data) == count
        assert len(codec.decoder().decode(data)) == count * codec.format.channels


def test_a_packet_time_is_fitted_to_what_can_be_made() -> None:
    time = codecs.find("opus").packet_time
    assert [time.fit(wanted) for wanted in (None, 5, 10, 30, 45, 1000)] == [20, 10, 10, 20, 40, 60]


def test_l16_is_in_network_order() -> None:
    codec = codecs.find("L16/16000")
    assert codec.encoder().encode(np.array([1, -2], np.int16)) == b"\x00\x01\xff\xfe"
    assert codec.decoder().decode(b"\x00\x01\xff\xfe\x07").tolist() == [1, -2]


@pytest.mark.parametrize("name", NAMES)
def test_only_rows_of_16_bit_samples_are_taken(name: str) -> None:
    encoder = codecs.find(name).encoder()
    for samples in (
        np.zeros(960),
        np.zeros(960, np.uint16),
        np.zeros(960, ">i2"),
        np.zeros((2, 480), np.int16),
    ):
        with pytest.raises(TypeError, match="16-bit"):
            encoder.encode(samples)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_slices_are_taken_and_what_comes_out_is_the_callers(name: str) -> None:
    codec = codecs.find(name)
    rows = np.zeros((codec.format.sample_rate // 50 * codec.format.channels, 2), np.int16)
    data = codec.encoder().encode(rows[:, 1])
    assert data == codec.encoder().encode(rows[:, 1].copy())
    samples = codec.decoder().decode(bytearray(data))
    assert samples.dtype == np.int16
    samples[:] = 7  # writable, and nobody else's
    assert not np.array_equal(codec.decoder().decode(data), samples)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_checked(name: str) -> None:
    codec = codecs.find(name)
    with pytest.raises(codecs.CodecError, match="no setting 'volume'"):
        codec.config(volume=1)
    for setting in codec.config().settings:
        with pytest.raises(codecs.CodecError, match=f"{setting} is -99"):
            codec.config(**{setting: -99})


@given(st.sampled_from(NAMES), st.binary(max_size=400))
def test_decoders_take_any_bytes(name: str, data: bytes) -> None:
    decoder = codecs.find(name).decoder()
    for _ in range(2):
        try:
            samples = decoder.decode(data)
        except codecs.CodecError as error:
            assert error.codec  # noqa: PT017 - either is right
        else:
            assert samples.dtype == np.int16
