"""Buffers over 4 GiB: lengths and offsets that 32 bits do not hold."""

import mmap
import zlib
from collections.abc import Iterator

import pytest

from dwcp import checksum

from .oracles import FUNCTIONS, pattern

pytestmark = pytest.mark.heavy

LENGTH = (4 << 30) + 12_345
HALF = (2 << 30) + 77


@pytest.fixture(scope="module")
def huge() -> Iterator[memoryview]:
    """Zeros, which take no memory while they are only read, with content here and there."""
    with mmap.mmap(-1, LENGTH) as area:
        for at in (0, HALF - 50, (4 << 30) - 100, LENGTH - 200):
            area[at : at + 200] = pattern(200, seed=at)
        with memoryview(area) as view:
            yield view


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme", "adler32"])
def test_whole_is_what_halves_combine_to(huge: memoryview, name: str) -> None:
    function, combine = FUNCTIONS[name], getattr(checksum, f"{name}_combine")
    whole = function(huge)
    assert whole == combine(function(huge[:HALF]), function(huge[HALF:]), LENGTH - HALF)
    assert whole == function(huge[HALF:], function(huge[:HALF]))


@pytest.mark.parametrize("name", ["fletcher32", "xxh32", "xxh3_64", "xxh3_128"])
def test_whole_is_what_pieces_give(huge: memoryview, name: str) -> None:
    streamed = checksum.new(name)
    for at in range(0, LENGTH, 1_000_000_001):
        streamed.update(huge[at : at + 1_000_000_001])
    assert streamed.value == FUNCTIONS[name](huge)


def test_zlib_agrees(huge: memoryview) -> None:
    assert checksum.crc32(huge) == zlib.crc32(huge)
    assert checksum.adler32(huge) == zlib.adler32(huge)
