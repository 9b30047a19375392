"""G.711 against the vectors of ITU-T G.191, both twins."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import twins

ROOT = Path(__file__).parents[2]
VECTORS = Path(os.environ.get("SWITCHROOM_VECTORS", ROOT.parent / "shared" / "vectors")) / "g711"
LAWS = {"alaw": "a", "ulaw": "u"}
ALL_LEVELS = np.arange(-32768, 32768).astype(np.int16)
ALL_CODES = bytes(range(256))


@pytest.fixture(params=twins.VARIANTS)
def g711(request: pytest.FixtureRequest) -> ModuleType:
    return twins.load("switchroom.codecs.g711", "_g711", request.param)


def vector(name: str) -> npt.NDArray[np.int16]:
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"the G.191 vectors are not at {VECTORS} (set SWITCHROOM_VECTORS)")
    return np.fromfile(path, "<i2").astype(np.int16)


@pytest.mark.parametrize("law", LAWS)
def test_encodes_bit_exactly(g711: ModuleType, law: str) -> None:
    codes = getattr(g711, f"encode_{law}")(vector("sweep.src"))
    assert codes == vector(f"sweep-r.{LAWS[law]}").astype(np.uint8).tobytes()


@pytest.mark.parametrize("law", LAWS)
def test_decodes_bit_exactly(g711: ModuleType, law: str) -> None:
    codes = vector(f"sweep-r.{LAWS[law]}").astype(np.uint8).tobytes()
    assert np.array_equal(getattr(g711, f"decode_{law}")(codes), vector(f"sweep-r.re{LAWS[law]}"))


@pytest.mark.parametrize("law", LAWS)
def test_a_round_trip_is_the_libraries(g711: ModuleType, law: str) -> None:
    letter = LAWS[law]
    codes = getattr(g711, f"encode_{law}")(vector("sweep.src"))
    assert np.array_equal(getattr(g711, f"decode_{law}")(codes), vector(f"sweep-r.{letter}-{letter}"))


@pytest.mark.parametrize("law", LAWS)
def test_the_twins_agree_on_everything(law: str) -> None:
    plain = twins.load("switchroom.codecs.g711", "_g711", "plain")
    compiled = twins.load("switchroom.codecs.g711", "_g711", "compiled")
    assert getattr(plain, f"encode_{law}") is not getattr(compiled, f"encode_{law}")
    assert getattr(plain, f"encode_{law}")(ALL_LEVELS) == getattr(compiled, f"encode_{law}")(ALL_LEVELS)
    decoded = [getattr(module, f"decode_{law}")(ALL_CODES) for module in (plain, compiled)]
    assert np.array_equal(*decoded)
    assert plain.__all__ == compiled.__all__


@pytest.mark.parametrize("law", LAWS)
def test_every_code_survives(g711: ModuleType, law: str) -> None:
    again = getattr(g711, f"encode_{law}")(getattr(g711, f"decode_{law}")(ALL_CODES))
    # the two zeros of mu-law are one level
    assert [code for code in ALL_CODES if again[code] != code] == ([0x7F] if law == "ulaw" else [])


@pytest.mark.parametrize("law", LAWS)
def test_takes_slices_and_nothing(g711: ModuleType, law: str) -> None:
    encode, decode = getattr(g711, f"encode_{law}"), getattr(g711, f"decode_{law}")
    assert encode(ALL_LEVELS[::-2]) == encode(ALL_LEVELS)[::-2]
    assert encode(ALL_LEVELS[:0]) == b""
    assert decode(b"").shape == (0,)
    assert decode(b"").dtype == np.int16
    assert decode(bytearray(b"\x55\xd5"))[0] == decode(b"\x55\xd5")[0]


@pytest.mark.parametrize("law", LAWS)
def test_other_samples_are_refused(g711: ModuleType, law: str) -> None:
    for samples in (np.zeros(4, np.float64), np.zeros(4, np.uint16), np.zeros(4, ">i2")):
        with pytest.raises(TypeError, match="16-bit"):
            getattr(g711, f"encode_{law}")(samples)


@pytest.mark.parametrize("law", LAWS)
def test_what_was_decoded_can_be_written_to(g711: ModuleType, law: str) -> None:
    samples = getattr(g711, f"decode_{law}")(ALL_CODES)
    samples[:] = 0
    assert getattr(g711, f"decode_{law}")(ALL_CODES).any()


@pytest.mark.parametrize("variant", twins.VARIANTS)
@pytest.mark.parametrize("law", LAWS)
@given(data=st.binary(max_size=400))
def test_decodes_any_bytes(variant: str, law: str, data: bytes) -> None:
    module = twins.load("switchroom.codecs.g711", "_g711", variant)
    assert len(getattr(module, f"decode_{law}")(data)) == len(data)
