from typing import Any


def info() -> dict[str, Any]:
    """What the kernel and the machine offer, probed now."""
