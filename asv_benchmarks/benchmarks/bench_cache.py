"""Rows of a table in random order, beside NumPy."""

from typing import ClassVar

import numpy as np

from dwcp import cache

TABLE_BYTES = 64 << 20
RESULT_BYTES = 16 << 20


class Gather:
    """16 MiB of rows from all over a table of 64 MiB."""

    params: ClassVar = ([16, 64, 256, 1024],)
    param_names = ("row",)

    def setup(self, row: int) -> None:
        random = np.random.default_rng(1)
        self.table = random.integers(0, 256, (TABLE_BYTES // row, row), np.uint8)
        self.rows = random.integers(0, len(self.table), RESULT_BYTES // row)
        self.out = np.empty((len(self.rows), row), np.uint8)

    def volume(self, _: int) -> int:
        return RESULT_BYTES

    def time_dwcp(self, _: int) -> None:
        cache.gather(self.table, self.rows, self.out)

    def time_numpy_take(self, _: int) -> None:
        np.take(self.table, self.rows, axis=0, out=self.out, mode="clip")

    def time_numpy_take_checked(self, _: int) -> None:
        np.take(self.table, self.rows, axis=0)

    def time_numpy_index(self, _: int) -> None:
        self.table[self.rows]
