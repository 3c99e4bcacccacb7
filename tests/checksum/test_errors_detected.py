"""What a checksum is for: the predecessor's missed 87% of corruptions."""

import random

import pytest

from dwcp import checksum

from .oracles import CRCS, FUNCTIONS, POLYNOMIALS, pattern

# Beyond what any loop over single vectors takes.
LENGTHS = [1, 64, 1000, 4096]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize("length", LENGTHS)
def test_every_single_bit_error_is_detected(tier: str, name: str, length: int) -> None:
    data = bytearray(pattern(length))
    good = FUNCTIONS[name](data)
    # All bits of short messages, every seventh of longer ones.
    for bit in range(0, 8 * length, 1 if length <= 1000 else 7):
        data[bit // 8] ^= 1 << bit % 8
        assert FUNCTIONS[name](data) != good
        data[bit // 8] ^= 1 << bit % 8
    assert FUNCTIONS[name](data) == good


@pytest.mark.parametrize("name", CRCS)
def test_every_burst_up_to_the_register_is_detected(tier: str, name: str) -> None:
    width = POLYNOMIALS[name][1]
    length = 600
    data = pattern(length)
    number = int.from_bytes(data, "little")
    good = FUNCTIONS[name](data)
    chance = random.Random(width)
    for burst in range(2, width + 1):
        for _ in range(40):
            # The first and the last bit of a burst are wrong, those between may be.
            error = 1 | chance.getrandbits(burst) | 1 << (burst - 1)
            shift = chance.randrange(8 * length - burst)
            wrong = (number ^ error << shift).to_bytes(length, "little")
            assert FUNCTIONS[name](wrong) != good


@pytest.mark.parametrize("name", CRCS)
def test_swapped_and_missing_blocks_are_detected(tier: str, name: str) -> None:
    data = pattern(300_000)
    function = FUNCTIONS[name]
    good = function(data)
    for size in (16, 64, 640, 4096, 100_000):
        assert function(data[size : 2 * size] + data[:size] + data[2 * size :]) != good
        assert function(data[size:]) != good
        assert function(data + bytes(size)) != good


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_verify_says_no_to_every_flipped_bit_of_the_checksum(name: str) -> None:
    data = pattern(100)
    value = FUNCTIONS[name](data)
    assert checksum.verify(name, data, value)
    for bit in range(8 * checksum.new(name).digest_size):
        assert not checksum.verify(name, data, value ^ 1 << bit)
