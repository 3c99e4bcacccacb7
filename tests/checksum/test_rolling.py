import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwcp.checksum import RollingHash

MULTIPLIER = 6364136223846793005


def by_definition(data: bytes, window: int) -> int:
    last = data[-window:]
    return sum((byte + 1) * MULTIPLIER ** (len(last) - 1 - i) for i, byte in enumerate(last)) % (
        1 << 64
    )


@settings(max_examples=60)
@given(data=st.binary(max_size=300), window=st.integers(1, 70), split=st.integers(0, 300))
def test_value_is_that_of_the_last_bytes_however_they_came(
    data: bytes, window: int, split: int
) -> None:
    hashed = RollingHash(window)
    values = [*hashed.scan(data[:split]), *hashed.scan(data[split:])]
    assert values == [by_definition(data[: i + 1], window) for i in range(len(data))]
    single = RollingHash(window)
    for byte in data:
        single.update(byte)
    assert single.value == hashed.value == by_definition(data, window)


def test_order_counts_also_far_apart() -> None:
    # The predecessor's was a plain sum of bytes.
    for distance in (1, 2, 32, 64, 128):
        one, other = RollingHash(200), RollingHash(200)
        gap = bytes(distance - 1)
        one.scan(b"a" + gap + b"b")
        other.scan(b"b" + gap + b"a")
        assert one.value != other.value


def test_zeros_count() -> None:
    hashed = RollingHash(8)
    assert hashed.value == 0
    assert len(set(hashed.scan(bytes(8)).tolist())) == 8


def test_equal_windows_have_equal_values_wherever_they_stand() -> None:
    data = np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    values = RollingHash(64).scan(data + data)
    assert (values[5063:] == values[63:5000]).all()


def test_reset_forgets_all() -> None:
    hashed = RollingHash(4)
    hashed.scan(b"some bytes")
    hashed.reset()
    assert hashed.value == 0
    assert hashed.scan(b"xy")[-1] == by_definition(b"xy", 4)


@pytest.mark.parametrize("window", [0, -1, (1 << 30) + 1])
def test_windows_that_cannot_be_are_refused(window: int) -> None:
    bound = "window must (not be negative|be from 1 to 1073741824 bytes)"
    with pytest.raises(ValueError, match=bound):
        RollingHash(window)


def test_smallest_and_largest_window() -> None:
    assert RollingHash(1).window == 1
    assert RollingHash(1 << 30).window == 1 << 30
    with pytest.raises(TypeError):
        RollingHash("1")  # type: ignore[arg-type]


@pytest.mark.parametrize("byte", [-1, 256])
def test_what_is_no_byte_is_refused(byte: int) -> None:
    with pytest.raises(ValueError, match=f"byte must be from 0 to 255, not {byte}"):
        RollingHash(3).update(byte)


def test_out_takes_the_values_and_is_returned() -> None:
    out = np.zeros(5, dtype=np.uint64)
    hashed = RollingHash(3)
    assert hashed.scan(b"abcde", out) is out
    assert out.tolist() == [by_definition(b"abcde"[: i + 1], 3) for i in range(5)]
    with pytest.raises(ValueError, match="8 bytes for each byte of data, which are 24, not 40"):
        hashed.scan(b"abc", out)
    with pytest.raises(ValueError, match="aligned to 8"):
        hashed.scan(b"abc", np.zeros(25, dtype=np.uint8)[1:])
    with pytest.raises(BufferError, match="out must be a writable"):
        hashed.scan(b"abc", bytes(24))
    with pytest.raises(TypeError, match="data must support the buffer protocol"):
        hashed.scan("abc")  # type: ignore[arg-type]


def test_threads_may_share_an_object() -> None:
    # All bytes are equal, so that the order of the pieces does not matter once the window is full.
    # The long ones are taken without the GIL.
    window = 48
    hashed = RollingHash(window)
    full = by_definition(b"x" * window, window)
    hashed.scan(b"x" * window)
    start = threading.Barrier(4)
    wrong: list[int] = []

    def work() -> None:
        start.wait()
        for length in (3, 100_000, 64, 200_001) * 10:
            values = hashed.scan(b"x" * length)
            wrong.extend(values[values != full])
            hashed.update(ord("x"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert hashed.value == full
