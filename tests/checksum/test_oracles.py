"""The same values as other people's implementations, on every instruction set."""

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import checksum

from .oracles import CRCS, FUNCTIONS, ORACLES, crc_by_bits, pattern

NAMES = sorted(FUNCTIONS)
FAST = [name for name in NAMES if name != "crc64nvme"]  # the oracle of that one works bit by bit
EVERY_TIER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)


@pytest.mark.parametrize("name", NAMES)
def test_every_length_to_1100(tier: str, name: str) -> None:
    data = pattern(1200)
    limit = 301 if name == "crc64nvme" else 1101
    for length in range(limit):
        part = data[length % 64 : length % 64 + length]
        for oracle in ORACLES[name]:
            assert FUNCTIONS[name](part) == oracle(part)


@pytest.mark.parametrize("name", CRCS)
def test_crcs_agree_with_their_definition_bit_by_bit(tier: str, name: str) -> None:
    data = pattern(140)
    for length in range(140):
        value = length * 0x9E3779B97F4A7C15 % (1 << (64 if name == "crc64nvme" else 32))
        assert FUNCTIONS[name](data[:length], value) == crc_by_bits(name, data[:length], value)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("length", [4096, 32_767, 32_768, 65_537, 131_072, 300_001, 1 << 20])
def test_long_and_unaligned(tier: str, name: str, length: int) -> None:
    data = pattern(length + 64)
    view = memoryview(data)
    for offset in (0, 1, 16, 33, 63):
        part = view[offset : offset + length]
        assert FUNCTIONS[name](part) == ORACLES[name][0](part)


@pytest.mark.parametrize("name", ["adler32", "fletcher32"])
def test_largest_bytes_do_not_overflow(tier: str, name: str) -> None:
    for length in (5552, 5553, 65_536, 1 << 20, (1 << 20) + 3):
        data = b"\xff" * length
        assert FUNCTIONS[name](data) == ORACLES[name][0](data)


@EVERY_TIER
@given(parts=st.lists(st.binary(max_size=400), min_size=2, max_size=6))
def test_crc64nvme_goes_on_and_combines_as_by_bits(tier: str, parts: list[bytes]) -> None:
    whole = b"".join(parts)
    value = combined = 0
    for part in parts:
        value = checksum.crc64nvme(part, value)
        combined = checksum.crc64nvme_combine(combined, checksum.crc64nvme(part), len(part))
    assert value == combined == crc_by_bits("crc64nvme", whole)


@EVERY_TIER
@given(a=st.binary(max_size=2000), b=st.binary(max_size=2000))
def test_others_combine_as_their_oracles(tier: str, a: bytes, b: bytes) -> None:
    for name in ("crc32", "crc32c", "adler32"):
        combine = getattr(checksum, f"{name}_combine")
        joined = combine(FUNCTIONS[name](a), FUNCTIONS[name](b), len(b))
        assert joined == ORACLES[name][0](a + b)


@pytest.mark.parametrize("name", NAMES)
def test_no_read_outside_the_buffer(tier: str, guarded_page: memoryview, name: str) -> None:
    size = len(guarded_page)
    guarded_page[:] = pattern(size)
    function = FUNCTIONS[name]
    for length in [*range(0, 300), 511, 512, 513, 1100, size - 1, size]:
        for part in (guarded_page[:length], guarded_page[size - length :]):
            assert function(part) == function(bytes(part))
            part.release()


def test_two_threads_compute_at_once() -> None:
    data = pattern(1 << 20)
    expected = {name: FUNCTIONS[name](data) for name in NAMES}
    wrong: list[str] = []

    def work() -> None:
        for _ in range(5):
            wrong.extend(name for name in NAMES if FUNCTIONS[name](data) != expected[name])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
