"""Writes delta-v1.json. The vectors bind decoders; run this only to add some.

python tests/vectors/make_delta_vectors.py
"""

import json
from pathlib import Path

from dwcp import delta

PATTERN = bytes(i * 37 % 251 for i in range(5000))


def changed(positions: dict[int, bytes]) -> bytes:
    state = bytearray(PATTERN)
    for position, values in positions.items():
        state[position : position + len(values)] = values
    return bytes(state)


FEW = changed({0: b"\xff", 700: b"dwcp", 4096: b"\1\2\3", 4999: b"\0"})
CASES = {
    "empty state": (b"", b"", {}),
    "one byte": (b"b", b"a", {}),
    "unchanged": (PATTERN, PATTERN, {}),
    "runs": (FEW, PATTERN, {"mode": "runs"}),
    "lines, XOR": (FEW, PATTERN, {"mode": "lines-xor"}),
    "lines, replaced, with a short last line": (FEW, PATTERN, {"mode": "lines-new"}),
    "raw blocks": (FEW, PATTERN, {"mode": "raw"}),
    "fill": (b"\x5a" * 5000, PATTERN, {}),
    "second block only": (changed({4500: b"x" * 64}), PATTERN, {}),
    "lz4": (b"abcdefgh" * 100, bytes(800), {"mode": "raw", "codec": "lz4"}),
    "zstd": (b"abcdefgh" * 100, bytes(800), {"mode": "lines-xor", "codec": "zstd"}),
}


def main() -> None:
    vectors = []
    for name, (result, base, options) in CASES.items():
        encoded = delta.encode(result, base, block_size=4096, **options)
        vectors.append(
            {"name": name, "base": base.hex(), "result": result.hex(), "delta": encoded.hex()}
        )
    path = Path(__file__).with_name("delta-v1.json")
    path.write_text(
        json.dumps({"format": "docs/format.md, version 1", "vectors": vectors}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
