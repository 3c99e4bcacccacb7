"""Arrays that begin where they should, and elements that share no line."""

import numpy as np
import pytest

from dwcp import cache


def test_every_one_of_a_thousand_allocations_is_aligned() -> None:
    random = np.random.default_rng(1)
    kept = []
    for align in (64, 128, 4096):
        for _ in range(1000):
            shape = tuple(random.integers(0, 20, random.integers(0, 4)).tolist())
            for make in (cache.aligned_empty, cache.aligned_zeros):
                kept.append(make(shape, "u2", align=align))
                assert kept[-1].ctypes.data % align == 0
                assert kept[-1].shape == shape
    assert not any(array.any() for array in kept[1::2])


@pytest.mark.parametrize("align", [1 << power for power in range(22)])
def test_every_power_of_two_is_an_alignment(align: int) -> None:
    array = cache.aligned_zeros((3, 5), np.float32, align=align)
    assert array.ctypes.data % align == 0
    assert cache.is_aligned(array, align)
    assert array.flags.writeable
    assert not array.any()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["u1", "<f4", ">i8", "c16", "S7", "M8[s]", "S0", [("a", "i4")]])
def test_they_are_arrays_like_others(order: str, kind: object) -> None:
    array = cache.aligned_empty((3, 4, 5), kind, order=order)  # type: ignore[arg-type]
    other = np.empty((3, 4, 5), kind, order=order)  # type: ignore[call-overload]
    assert (array.shape, array.dtype, array.strides) == (other.shape, other.dtype, other.strides)
    assert array.flags.c_contiguous == other.flags.c_contiguous
    array[...] = other
    assert array.tobytes("A") == other.tobytes("A")


def test_the_usual_ones_are_of_numbers_and_begin_at_a_line() -> None:
    array = cache.aligned_empty(7)
    assert (array.dtype, array.shape) == (np.dtype(float), (7,))
    assert array.ctypes.data % cache.LINE_BYTES == 0


def test_what_is_no_alignment_shape_or_type_is_refused_by_name() -> None:
    for align in (0, -64, 3, 96, 2**31):
        for make in (cache.aligned_empty, cache.aligned_zeros):
            with pytest.raises(ValueError, match=f"align must be a power of two.*is {align}"):
                make(3, align=align)
        with pytest.raises(ValueError, match="align must be a power of two"):
            cache.is_aligned(b"", align)
    with pytest.raises(TypeError):
        cache.aligned_empty(3, align=64.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shape must have no negative lengths"):
        cache.aligned_empty((3, -1))
    with pytest.raises(TypeError):
        cache.aligned_empty(1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="dtype must be without objects"):
        cache.aligned_empty(3, object)
    with pytest.raises(ValueError, match="order must be 'C' or 'F', but is 'K'"):
        cache.aligned_empty(3, order="K")  # type: ignore[arg-type]
    with pytest.raises(MemoryError):
        cache.aligned_empty(2**60)


@pytest.mark.parametrize(("kind", "step"), [("u1", 128), ("f8", 128), ("S128", 128), ("S129", 256)])
def test_padded_elements_share_no_line(kind: str, step: int) -> None:
    array = cache.padded_empty(20, kind)
    assert (array.shape, array.strides, array.dtype) == ((20,), (step,), np.dtype(kind))
    assert array.ctypes.data % cache.SEPARATION_BYTES == 0
    values = np.arange(20).astype(kind)
    array[:] = values
    assert array.tolist() == values.tolist()
    assert cache.padded_empty(0, kind).shape == (0,)


def test_what_cannot_be_padded_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="count must be at least 0, but is -1"):
        cache.padded_empty(-1)
    with pytest.raises(TypeError):
        cache.padded_empty(2.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="dtype must be without objects"):
        cache.padded_empty(1, object)


def test_where_memory_begins_is_told_of_every_buffer() -> None:
    area = cache.aligned_empty(1000, np.uint8, align=4096)
    assert cache.is_aligned(area, 4096)
    for offset in (1, 2, 63, 64, 100):
        for buffer in (area[offset:], memoryview(area)[offset:], area[offset::2]):
            for align in (1, 2, 4, 64, 128):
                assert cache.is_aligned(buffer, align) == (offset % align == 0)
    with pytest.raises(TypeError):
        cache.is_aligned("text")  # type: ignore[arg-type]
