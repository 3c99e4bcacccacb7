import contextlib
import sys
import sysconfig

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import delta


def pair(length: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(length * 7 + seed)
    return (
        rng.integers(0, 256, length, dtype=np.uint8),
        rng.integers(0, 256, length, dtype=np.uint8),
    )


def test_every_short_length_agrees_with_numpy(tier: str) -> None:
    for length in range(301):
        a, b = pair(length)
        assert delta.xor(a, b) == (a ^ b).tobytes()


def test_every_alignment_writes_exactly_its_range(tier: str) -> None:
    a, b = pair(700)
    for offset in range(0, 65):
        for length in (0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 300, 517):
            out = np.full(700, 0xEE, dtype=np.uint8)
            end = offset + length
            shifted = b[offset // 2 : offset // 2 + length]
            delta.xor(a[offset:end], shifted, out[offset:end])
            expected = np.full(700, 0xEE, dtype=np.uint8)
            expected[offset:end] = a[offset:end] ^ shifted
            assert (out == expected).all()


def test_out_may_be_either_input(tier: str) -> None:
    for length in [*range(0, 130), 1000, 4097]:
        a, b = pair(length)
        expected = a ^ b
        in_a = a.copy()
        assert delta.xor(in_a, b, in_a) is in_a
        assert (in_a == expected).all()
        in_b = b.copy()
        delta.xor(a, in_b, in_b)
        assert (in_b == expected).all()
        same = a.copy()
        delta.xor(same, same, same)
        assert not same.any()


def test_buffers_beyond_the_cache_at_odd_addresses(tier: str) -> None:
    length = (48 << 20) + 13
    a = np.arange(length + 64, dtype=np.uint32).view(np.uint8)[3 : length + 3]
    b = np.full(length, 0x5A, dtype=np.uint8)
    out = np.zeros(length + 64, dtype=np.uint8)
    delta.xor(a, b, out[5 : length + 5])
    assert (out[5 : length + 5] == a ^ b).all()
    assert not out[:5].any()
    assert not out[length + 5 :].any()


def test_lengths_around_the_first_level_cache(tier: str) -> None:
    for length in (98_303, 98_304, 98_305, 98_560, 131_071, 200_003, 1_048_577):
        a, b = pair(length)
        expected = a ^ b
        out = np.full(length + 70, 0xEE, dtype=np.uint8)
        for offset in (0, 1, 37, 63):
            delta.xor(a, b, out[offset : offset + length])
            assert (out[offset : offset + length] == expected).all()
            assert (out[offset + length :] == 0xEE).all()
            out[:] = 0xEE
        delta.xor(a, b, a)
        assert (a == expected).all()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.binary(max_size=3000), key=st.integers(0, 255), shift=st.integers(0, 63))
def test_xor_twice_gives_the_input_back(tier: str, data: bytes, key: int, shift: int) -> None:
    padded = bytes(shift) + data
    view = memoryview(padded)[shift:]
    other = bytes([key]) * len(data)
    assert delta.xor(delta.xor(view, other), other) == data


def test_no_access_outside_the_buffers(tier: str, guarded_page: memoryview) -> None:
    size = len(guarded_page)
    for length in [*range(1, 130), 255, 256, 257, size]:
        for part in (guarded_page[:length], guarded_page[size - length :]):
            delta.xor(bytes(length), bytes([1]) * length, part)
            assert bytes(part) == bytes([1]) * length
            delta.xor(part, part, part)
            part.release()


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equal lengths, not 3 and 4"):
        delta.xor(b"abc", b"abcd")
    with pytest.raises(ValueError, match="equal lengths"):
        delta.xor(b"abc", b"abc", bytearray(4))


def test_partial_overlap_is_refused_and_nothing_is_written() -> None:
    area = np.arange(200, dtype=np.uint8)
    before = area.copy()
    with pytest.raises(ValueError, match="out must be a or b exactly, or overlap neither"):
        delta.xor(area[:100], np.zeros(100, dtype=np.uint8), area[1:101])
    assert (area == before).all()


def test_wrong_buffers_are_refused_by_name() -> None:
    with pytest.raises(BufferError, match="out must be a writable"):
        delta.xor(b"abc", b"abc", b"abc")
    with pytest.raises(BufferError, match="a must be a C-contiguous"):
        delta.xor(np.zeros((4, 4))[:, ::2], bytes(64))
    with pytest.raises(TypeError, match="b must support the buffer protocol"):
        delta.xor(b"abc", "abc")  # type: ignore[call-overload]


def test_arguments_may_be_named_and_wrong_calls_are_refused() -> None:
    out = bytearray(3)
    assert delta.xor(a=b"abc", b=b"abc", out=out) is out
    assert delta.xor(b"abc", b=b"abd") == delta.xor(b"abc", b"abd", None) == b"\0\0\7"
    with pytest.raises(TypeError, match="xor needs the argument b"):
        delta.xor(b"abc")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="xor takes at most 3 positional arguments, 4 were given"):
        delta.xor(b"", b"", None, None)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="xor has no parameter 'into'"):
        delta.xor(b"", b"", into=out)  # type: ignore[call-overload]


@pytest.mark.parametrize("length", [24, 1000, 1 << 16, (1 << 16) + 8])
def test_every_kind_of_buffer_is_taken_and_given_back(length: int) -> None:
    data = bytes(i * 7 % 251 for i in range(length))
    flat = np.frombuffer(data, np.uint8)
    expected = bytes(x ^ 0xFF for x in data)
    inputs = [data, bytearray(data), memoryview(data), flat, flat.view(np.uint16).reshape(2, -1)]
    outputs = [
        bytearray(length),
        memoryview(bytearray(length)),
        np.empty(length, np.uint8),
        np.empty((length // 8, 1, 2), np.float32),
    ]
    ones = b"\xff" * length
    before = [sys.getrefcount(item) for item in (*inputs, *outputs)]
    for a in inputs:
        for out in outputs:
            assert delta.xor(a, ones, out) is out
            assert bytes(memoryview(out).cast("B")) == expected
            assert delta.xor(ones, a) == expected
    del a, out
    assert [sys.getrefcount(item) for item in (*inputs, *outputs)] == before
    for resizable in (inputs[1], outputs[0]):
        assert isinstance(resizable, bytearray)
        resizable.append(1)  # BufferError while an export is alive


def test_read_only_and_strided_arrays_are_no_outputs() -> None:
    constant = np.zeros(24, np.uint8)
    constant.flags.writeable = False
    for out in (constant, np.zeros(48, np.uint8)[::2], np.zeros((4, 6), np.uint8).T):
        with pytest.raises(BufferError, match="out must be a writable C-contiguous buffer"):
            delta.xor(bytes(24), bytes(24), out)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ in Python came with 3.12")
@pytest.mark.parametrize("out", [None, bytearray(1000)])
def test_a_buffer_that_is_resized_while_others_are_acquired_is_seen_as_it_is_then(
    out: bytearray | None,
) -> None:
    a = bytearray(b"x" * 1000)

    class Emptying:
        def __buffer__(self, flags: int) -> memoryview:
            # Without a GIL `a` is held by then and cannot be resized.
            with contextlib.suppress(BufferError):
                a.clear()
            return memoryview(bytes(1000))

    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert delta.xor(a, Emptying(), out) == b"x" * 1000
    else:
        with pytest.raises(ValueError, match=r"equal lengths, not 0(,| and) 1000"):
            delta.xor(a, Emptying(), out)
