"""Values that others have published."""

import json
from pathlib import Path
from typing import Any

import pytest

from dwcp import checksum

from .oracles import FUNCTIONS

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "checksums.json").read_text())


def xxh_pattern(length: int) -> bytes:
    """The pseudo-random bytes of xxHash's own sanity tests."""
    data, state = bytearray(), 2654435761
    for _ in range(length):
        data.append(state >> 56)
        state = state * 11400714785074694797 % (1 << 64)
    return bytes(data)


def data_of(vector: dict[str, Any]) -> bytes:
    if "hex" in vector:
        return bytes.fromhex(vector["hex"])
    return xxh_pattern(vector["pattern_length"])


def test_every_algorithm_has_published_values() -> None:
    assert {vector["algorithm"] for vector in VECTORS} == checksum.algorithms_available


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_published_values(tier: str, name: str) -> None:
    for vector in VECTORS:
        if vector["algorithm"] != name:
            continue
        options = {"seed": vector["seed"]} if "seed" in vector else {}
        data = data_of(vector)
        assert FUNCTIONS[name](data, **options) == int(vector["value"], 16), vector["source"]
        streamed = checksum.new(name, **options)
        for at in range(0, len(data), 100):
            streamed.update(data[at : at + 100])
        assert streamed.hexdigest() == vector["value"], vector["source"]
