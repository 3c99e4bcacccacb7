"""Cost of one call on small inputs, measured by timeit without a harness around the call.

python asv_benchmarks/calls.py
"""

import timeit

import numpy as np

from dwcp import delta

REPEATS = 9
CALLS = 200_000


def nanoseconds(statement: str, names: dict[str, object]) -> float:
    """Best cost of one execution of the statement."""
    return min(timeit.repeat(statement, globals=names, number=CALLS, repeat=REPEATS)) / CALLS * 1e9


def main() -> None:
    print(f"{'bytes':>6}  {'statement':42} {'ns a call':>9}")
    for size in (64, 1024):
        array = np.arange(size, dtype=np.uint8)
        names = {
            "xor": delta.xor,
            "numpy_xor": np.bitwise_xor,
            "a": array.tobytes(),
            "b": array[::-1].tobytes(),
            "out": bytearray(size),
            "array_a": array,
            "array_b": array[::-1].copy(),
            "array_out": np.empty_like(array),
        }
        for statement in (
            "xor(a, b, out)",
            "xor(a, b)",
            "xor(array_a, array_b, array_out)",
            "numpy_xor(array_a, array_b, out=array_out)",
        ):
            print(f"{size:6}  {statement:42} {nanoseconds(statement, names):9.0f}")


if __name__ == "__main__":
    main()
