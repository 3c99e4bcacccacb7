"""docs/format.md is what the code does: vectors, and a second decoder."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwcp import delta

from . import reference
from .states import CODECS, KINDS, MODES, pair

VECTORS = Path(__file__).parents[1] / "vectors" / "delta-v1.json"


def vectors() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(VECTORS.read_text())["vectors"]
    return found


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_vectors_decode_to_their_result(tier: str, vector: dict[str, str]) -> None:
    encoded, base = bytes.fromhex(vector["delta"]), bytes.fromhex(vector["base"])
    assert delta.decode(encoded, base).hex() == vector["result"]
    assert reference.decode(encoded, base).hex() == vector["result"]


def test_vectors_cover_every_mode_operation_and_codec() -> None:
    modes: set[str] = set()
    codecs: set[str] = set()
    for vector in vectors():
        found = delta.inspect(bytes.fromhex(vector["delta"]))
        modes |= set(found.modes)
        codecs |= set(found.codecs)
    assert modes == {"raw", "fill", "lines-xor", "lines-new", "runs"}
    assert codecs == {"none", "lz4", "zstd"}


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(0, 9000),
    kind=st.sampled_from(KINDS),
    mode=st.sampled_from(MODES),
    codec=st.sampled_from(CODECS),
)
def test_reference_decoder_agrees(length: int, kind: str, mode: str, codec: str) -> None:
    current, previous = pair(length, kind, 6)
    encoded = delta.encode(current, previous, mode=mode, codec=codec, block_size=4096)
    assert reference.decode(encoded, previous.tobytes()) == current.tobytes()


def test_reference_decoder_refuses_what_the_decoder_refuses() -> None:
    current, previous = pair(300, "bytes", 1)
    encoded = bytearray(delta.encode(current, previous))
    encoded[60] ^= 1
    with pytest.raises(reference.Refused):
        reference.decode(bytes(encoded), previous.tobytes())
