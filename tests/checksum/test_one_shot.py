"""How the one-shot functions are called: arguments, buffers, errors, references."""

import array
import contextlib
import inspect
import mmap
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import checksum

Function = Callable[..., int]
NAMES = sorted(checksum.algorithms_available)
WITH_VALUE = ["adler32", "crc32", "crc32c", "crc64nvme", "fletcher32"]
WITH_SEED = ["xxh3_128", "xxh3_64", "xxh32"]
# From this length on the GIL is released, and arguments are taken in another way.
LONG = 1 << 16


def function(name: str) -> Function:
    found: Function = getattr(checksum, name)
    return found


def bits(name: str) -> int:
    return 64 if name in ("crc64nvme", "xxh3_64", "xxh3_128") else 32


def test_there_is_a_function_for_each_name() -> None:
    assert sorted(WITH_VALUE + WITH_SEED) == NAMES


@pytest.mark.parametrize("length", [0, 1, 5, 300, LONG])
@pytest.mark.parametrize("value", [0, 1, -1, 7 << 40, 2**200 + 7, True, np.uint32(9)])
def test_crc32_and_adler32_take_any_int_as_zlib_does(length: int, value: int) -> None:
    data = bytes(i * 7 % 251 for i in range(length))
    assert checksum.crc32(data) == zlib.crc32(data)
    assert checksum.adler32(data) == zlib.adler32(data)
    assert checksum.crc32(data, value) == zlib.crc32(data, value)
    # Halves that no checksum has are brought below 65521; zlib leaves some as they are.
    canonical = int(value) & 0xFFFFFFFF
    canonical = (canonical >> 16) % 65521 << 16 | (canonical & 0xFFFF) % 65521
    assert checksum.adler32(data, value) == zlib.adler32(data, canonical)


@pytest.mark.parametrize("length", [0, 3, 16, 17, 128, 129, 240, 241, 5000])
@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
def test_xxhash_functions_agree_with_the_xxhash_package(length: int, seed: int) -> None:
    data = bytes(i * 7 % 251 for i in range(length))
    assert checksum.xxh32(data, seed) == xxhash.xxh32_intdigest(data, seed)
    for wide in (seed, seed << 32, 2**64 - 1):
        assert checksum.xxh3_64(data, wide) == xxhash.xxh3_64_intdigest(data, wide)
        assert checksum.xxh3_128(data, wide) == xxhash.xxh3_128_intdigest(data, wide)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(a=st.binary(max_size=2000), b=st.binary(max_size=2000))
def test_value_goes_on_from_what_came_before(tier: str, a: bytes, b: bytes) -> None:
    even = a if len(a) % 2 == 0 else a[1:]
    for name in WITH_VALUE:
        f = function(name)
        assert f(b, f(even)) == f(even + b)


def test_the_lengths_of_results_are_those_of_the_algorithms() -> None:
    for name in NAMES:
        widest = 0
        for i in range(64):
            widest = max(widest, function(name)(b"%d" % i * 400).bit_length())
        expected = 8 * checksum.new(name).digest_size
        assert expected - 8 < widest <= expected


def test_the_values_in_the_documentation_are_right() -> None:
    page = (Path(__file__).parents[2] / "docs" / "checksums.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| `(\w+)` \|", page, flags=re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == NAMES
    for name, width, value in rows:
        assert len(value) * 4 == int(width)
        assert function(name)(b"123456789") == int(value, 16)


def test_fletcher32_counts_an_odd_last_byte_as_a_word() -> None:
    # "abcde" and its values: J. Fletcher's sums over little-endian words, by hand.
    assert checksum.fletcher32(b"abcde") == 0xF04FC729 == checksum.fletcher32(b"abcde\0")
    assert checksum.fletcher32(b"") == checksum.fletcher32(b"\0\0") == 0
    assert checksum.fletcher32(b"\xff\xff") == 0


@pytest.mark.parametrize("name", NAMES)
def test_arguments_may_be_named(name: str) -> None:
    f, second = function(name), "value" if name in WITH_VALUE else "seed"
    initial = 1 if name == "adler32" else 0
    data = b"some data"
    assert f(data=data) == f(data) == f(data, initial) == f(data, **{second: initial})
    other = f(data, 77)
    assert other != f(data)
    assert f(data, **{second: 77}) == f(data=data, **{second: 77}) == other
    assert f(**{second: 77, "data": data}) == other
    assert str(inspect.signature(f)) == f"(data, {second}={initial})"
    assert f.__doc__ is not None
    assert name in f.__name__
    assert f.__doc__.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_calls_with_wrong_arguments_are_refused(name: str) -> None:
    f, second = function(name), "value" if name in WITH_VALUE else "seed"
    with pytest.raises(TypeError, match=f"{name} needs the argument data"):
        f()
    with pytest.raises(TypeError, match=f"{name} needs the argument data"):
        f(**{second: 1})
    with pytest.raises(TypeError, match=f"{name} takes at most 2 positional arguments, 3 were"):
        f(b"", 0, 0)
    with pytest.raises(TypeError, match=f"{name} has no parameter 'salt'"):
        f(b"", salt=1)
    with pytest.raises(TypeError, match=f"{name} got two values for data"):
        f(b"", data=b"")
    for wrong in (1.0, "1", None, b"1"):
        with pytest.raises(TypeError, match=f"{second} must be an int, not <class "):
            f(b"", wrong)
    for not_bytes in ("text", 5, None, [1]):
        with pytest.raises(TypeError, match="data must support the buffer protocol"):
            f(not_bytes)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"crc32", "adler32"}))
def test_values_and_seeds_out_of_bounds_are_refused(name: str) -> None:
    f, second = function(name), "value" if name in WITH_VALUE else "seed"
    largest = 2 ** bits(name) - 1
    for good in (largest, largest // 2, largest // 2 + 1, np.uint8(3)):
        f(b"", good)
    for bad in (-1, -(2**63), -(2**90), largest + 1, 2**64, 2**90, 10**5000):
        with pytest.raises(ValueError, match=rf"{second} must be 0\.\.{largest}$"):
            f(b"", bad)


class Bytes(bytes):
    pass


class Array(np.ndarray):
    pass


def same_contents(data: bytes) -> list[object]:
    """Objects of many types whose memory is `data`, of a length divisible by 24."""
    flat = np.frombuffer(data, np.uint8)
    area = mmap.mmap(-1, len(data))
    area[:] = data
    read_only = flat.copy()
    read_only.flags.writeable = False
    return [
        Bytes(data),
        bytearray(data),
        memoryview(data),
        memoryview(bytearray(b"__" + data + b"_"))[2:-1],
        array.array("H", data),
        area,
        flat,
        flat.copy(),
        read_only,
        flat.view(">u8"),
        flat.view(np.float32).reshape(2, 3, -1),
        flat.reshape(1, -1, 1),
        flat.copy().view(Array),
        np.concatenate([flat[:5], flat])[5:],
        # Axes of one entry may have any stride.
        np.lib.stride_tricks.as_strided(flat, (1, len(data)), (999, 1)),
        np.frombuffer(data, f"V{len(data)}"),
        np.frombuffer(data, f"V{len(data)}").reshape(()),
    ]


@pytest.mark.parametrize("length", [24, 2400, LONG - 16, LONG + 8, 4 * LONG - 16])
@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_buffer_gives_the_same(name: str, length: int) -> None:
    data = bytes(i * 7 % 251 for i in range(length))
    expected = function(name)(data)
    for same in same_contents(data):
        assert function(name)(same) == expected, type(same)


@pytest.mark.parametrize("name", NAMES)
def test_empty_and_strided_buffers(name: str) -> None:
    f = function(name)
    empty = f(b"")
    square = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for nothing in (bytearray(), memoryview(b""), np.empty(0), np.empty((3, 0)), square[8:, 1:]):
        assert f(nothing) == empty
    for strided in (square.T, square[:, 1:], square[::2], square[0][::-1], memoryview(b"ab")[::-1]):
        with pytest.raises(BufferError, match="data must be a C-contiguous buffer"):
            f(strided)
    assert f(square[:, 1:][:1]) == f(bytes(range(1, 8)))


@pytest.mark.parametrize("length", [24, LONG + 8])
@pytest.mark.parametrize("name", NAMES)
def test_no_reference_or_export_is_kept(name: str, length: int) -> None:
    f = function(name)
    seed = 2**31 + 5
    for data in same_contents(bytes(length)):
        before = sys.getrefcount(data), sys.getrefcount(seed)
        for _ in range(10):
            f(data)
            f(data, seed)
            with pytest.raises(TypeError):
                f(data, 1.5)
        assert (sys.getrefcount(data), sys.getrefcount(seed)) == before
    resizable = bytearray(length)
    f(resizable)
    resizable.append(1)  # BufferError while an export is alive


@pytest.mark.parametrize("name", NAMES)
def test_no_memory_is_kept(name: str) -> None:
    f, view = function(name), memoryview(b"x" * 100)
    # New ints at each call, which would stay if a reference were kept.
    largest = 2 ** bits(name) - 1

    def calls() -> None:
        for i in range(1000):
            f(view)
            f(b"abc", largest - i)
            checksum.verify(name, b"abc", f(b"abc") ^ i)
            with contextlib.suppress(TypeError, ValueError):
                f("text", -(2**70))

    calls()
    before = sys.getallocatedblocks()
    calls()
    assert sys.getallocatedblocks() - before < 100


def test_data_that_an_argument_changes_are_looked_at_afterwards() -> None:
    data = bytearray(b"x" * 1000)

    class Emptying:
        def __index__(self) -> int:
            data.clear()
            return 0

    assert checksum.crc32(data, Emptying()) == checksum.crc32(b"")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(a=st.binary(max_size=2000), b=st.binary(max_size=2000), c=st.binary(max_size=300))
def test_combining_is_appending_and_associative(tier: str, a: bytes, b: bytes, c: bytes) -> None:
    for name in ("crc32", "crc32c", "crc64nvme", "adler32"):
        f, combine = function(name), function(f"{name}_combine")
        ab = combine(f(a), f(b), len(b))
        assert ab == f(a + b)
        assert combine(f(a), f(b""), 0) == f(a) == combine(f(b""), f(a), len(a))
        left = combine(ab, f(c), len(c))
        right = combine(f(a), combine(f(b), f(c), len(c)), len(b) + len(c))
        assert left == right == f(a + b + c)


def test_combining_takes_lengths_beyond_any_buffer() -> None:
    # Adler-32 repeats after 65521 bytes, a CRC of 32 bits with a primitive polynomial after 2^32-1.
    longest = 2**64 - 1
    a, b = zlib.adler32(b"first"), zlib.adler32(b"second")
    assert checksum.adler32_combine(a, b, longest) == checksum.adler32_combine(
        a, b, longest % 65521
    )
    assert checksum.crc32_combine(5, 6, longest) == checksum.crc32_combine(5, 6, 0)
    half, rest = longest // 2, longest - longest // 2
    for combine in (checksum.crc32c_combine, checksum.crc64nvme_combine):
        assert combine(5, 0, longest) == combine(combine(5, 0, half), 0, rest)


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme", "adler32"])
def test_combining_refuses_what_is_no_checksum_or_length(name: str) -> None:
    combine, largest = function(f"{name}_combine"), 2 ** bits(name) - 1
    first, second = ("adler1", "adler2") if name == "adler32" else ("crc1", "crc2")
    combine(largest, largest, 2**64 - 1)
    assert combine(**{first: 1, second: 2, "length2": 0}) == combine(1, 2, 0)
    for wrong in (-1, largest + 1):
        with pytest.raises(ValueError, match=rf"{first} must be 0\.\.{largest}$"):
            combine(wrong, 0, 0)
        with pytest.raises(ValueError, match=rf"{second} must be 0\.\.{largest}$"):
            combine(0, wrong, 0)
    for wrong_length in (-1, 2**64):
        with pytest.raises(ValueError, match=r"length2 must be 0\.\.18446744073709551615$"):
            combine(0, 0, wrong_length)
    for no_int, kind in ((1.0, "float"), (None, "NoneType")):
        with pytest.raises(TypeError, match=f"length2 must be an int, not <class '{kind}'>"):
            combine(0, 0, no_int)
