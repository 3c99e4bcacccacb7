"""Fixtures shared by all topics."""

import ctypes
import mmap
from collections.abc import Iterator

import pytest

from dwcp import isa
from dwcp._core import isa as core_isa

# The mmap module does not name it.
PROT_NONE = 0


@pytest.fixture(params=isa.available())
def tier(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set in turn, forced; fails unless it, and no other, did the work."""
    name: str = request.param
    with isa.force(name):
        core_isa.count_calls(True)
        before = {other: core_isa.counted_calls(other) for other in isa.built()}
        try:
            yield name
            after = {other: core_isa.counted_calls(other) for other in isa.built()}
            assert core_isa.compiled_for() == name
        finally:
            core_isa.count_calls(False)
    ran = {other for other in after if after[other] > before[other]}
    assert ran == {name}, f"forced {name}, but kernels ran on {ran or 'nothing'}"


@pytest.fixture
def guarded_page() -> Iterator[memoryview]:
    """One writable page between two that kill whoever touches them."""
    page = mmap.PAGESIZE
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    with mmap.mmap(-1, 3 * page) as area:
        anchor = ctypes.c_char.from_buffer(area)
        first = ctypes.addressof(anchor)
        for guard in (first, first + 2 * page):
            assert libc.mprotect(guard, page, PROT_NONE) == 0
        view = memoryview(area)[page : 2 * page]
        yield view
        view.release()
        for guard in (first, first + 2 * page):
            assert libc.mprotect(guard, page, mmap.PROT_READ | mmap.PROT_WRITE) == 0
        del anchor
