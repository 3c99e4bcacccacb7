import threading

import crc32c as crc32c_oracle
import numpy as np
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import checksum

CRC64_NVME_POLY = 0x9A6C9329AC4BC9B5  # reflected


def crc_bit_by_bit(data: bytes, poly: int, bits: int, value: int = 0) -> int:
    mask = (1 << bits) - 1
    register = value ^ mask
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (poly if register & 1 else 0)
    return register ^ mask


def pattern(length: int) -> bytes:
    return np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8).tobytes()


def test_check_values_of_the_crc_catalogue(tier: str) -> None:
    assert checksum.crc32c(b"123456789") == 0xE3069283
    assert checksum.crc64nvme(b"123456789") == 0xAE8B14860A799888


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (bytes([0xFF] * 32), 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_crc32c_vectors_of_rfc_3720(tier: str, data: bytes, expected: int) -> None:
    assert checksum.crc32c(data) == expected


def test_crc64nvme_vectors_of_the_nvm_command_set_specification(tier: str) -> None:
    assert checksum.crc64nvme(bytes(4096)) == 0x6482D367EB22B64E
    assert checksum.crc64nvme(bytes([0xFF] * 4096)) == 0xC0DDBA7302ECA3AC


def test_every_length_agrees_with_a_bit_at_a_time_reference(tier: str) -> None:
    data = pattern(301)
    for length in range(301):
        part = data[:length]
        assert checksum.crc64nvme(part) == crc_bit_by_bit(part, CRC64_NVME_POLY, 64)
        assert checksum.crc32c(part) == crc_bit_by_bit(part, 0x82F63B78, 32)


def test_long_and_unaligned_inputs_agree_with_the_oracle(tier: str) -> None:
    data = pattern(70_000)
    view = memoryview(data)
    for offset in (0, 1, 7, 15, 31, 33, 63):
        for length in (300, 511, 512, 4095, 4096, 65_537):
            part = view[offset : offset + length]
            assert checksum.crc32c(part) == crc32c_oracle.crc32c(part)
            split = length // 3
            joined = checksum.crc64nvme(part[split:], checksum.crc64nvme(part[:split]))
            assert joined == checksum.crc64nvme(part)


def test_no_read_outside_the_buffer(tier: str, guarded_page: memoryview) -> None:
    size = len(guarded_page)
    for length in [*range(1, 130), 255, 256, 257, size]:
        expected = crc_bit_by_bit(bytes(length), CRC64_NVME_POLY, 64) if length < 300 else None
        for part in (guarded_page[:length], guarded_page[size - length :]):
            assert checksum.crc64nvme(part) == (expected or checksum.crc64nvme(bytes(length)))
            assert checksum.crc32c(part) == crc32c_oracle.crc32c(bytes(length))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(a=st.binary(max_size=2000), b=st.binary(max_size=2000))
def test_combine_gives_the_checksum_of_the_whole(tier: str, a: bytes, b: bytes) -> None:
    whole = checksum.crc64nvme(a + b)
    combined = checksum.crc64nvme_combine(checksum.crc64nvme(a), checksum.crc64nvme(b), len(b))
    assert combined == whole == checksum.crc64nvme(b, checksum.crc64nvme(a))


def test_combine_of_huge_lengths_is_a_power(tier: str) -> None:
    crc = checksum.crc64nvme(b"head")
    zeros = checksum.crc64nvme(bytes(1 << 16))
    whole = crc
    length = 0
    for _ in range(4):
        whole = checksum.crc64nvme_combine(whole, zeros, 1 << 16)
        length += 1 << 16
    assert whole == checksum.crc64nvme(b"head" + bytes(length))


def test_single_bit_and_burst_errors_are_detected(tier: str) -> None:
    data = bytearray(pattern(1024))
    good32, good64 = checksum.crc32c(data), checksum.crc64nvme(data)
    for bit in range(0, 8192, 37):
        data[bit // 8] ^= 1 << bit % 8
        assert checksum.crc32c(data) != good32
        assert checksum.crc64nvme(data) != good64
        data[bit // 8] ^= 1 << bit % 8
    for start in range(0, 1020, 11):
        data[start : start + 4] = bytes(x ^ 0xA5 for x in data[start : start + 4])
        assert checksum.crc32c(data) != good32
        data[start : start + 4] = bytes(x ^ 0xA5 for x in data[start : start + 4])


@pytest.mark.parametrize("length", [0, 1, 16, 17, 240, 241, 1000, 100_000])
def test_xxh3_agrees_with_the_xxhash_package(length: int) -> None:
    data = pattern(length)
    assert checksum.xxh3_64(data) == xxhash.xxh3_64_intdigest(data)
    assert checksum.xxh3_64(data, seed=7) == xxhash.xxh3_64_intdigest(data, seed=7)


@pytest.mark.parametrize("function", [checksum.crc32c, checksum.crc64nvme, checksum.xxh3_64])
def test_any_contiguous_buffer_is_accepted_and_others_are_refused(function: object) -> None:
    assert callable(function)
    data = bytes(range(256)) * 2
    expected = function(data)
    array = np.frombuffer(data, dtype=np.uint16).reshape(16, 16)
    for same in (bytearray(data), memoryview(data), array, array.astype(">u2").byteswap()):
        assert function(same) == expected
    assert function(np.zeros((0, 3))) == function(b"")
    with pytest.raises(BufferError, match="data must be a C-contiguous buffer"):
        function(array.T)
    with pytest.raises(TypeError, match="data must support the buffer protocol"):
        function("text")


def test_two_threads_compute_at_once() -> None:
    data = pattern(1 << 20)
    expected = checksum.crc64nvme(data)
    wrong: list[int] = []

    def work() -> None:
        for _ in range(20):
            value = checksum.crc64nvme(data)
            if value != expected:
                wrong.append(value)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
