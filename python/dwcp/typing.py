"""Types of arguments, for annotations."""

from typing import TYPE_CHECKING, Any

__all__ = ["BufferLike"]

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray
    from typing_extensions import Buffer

    # Before Python 3.12 NumPy's annotations do not say that its arrays are buffers.
    BufferLike: TypeAlias = Buffer | NDArray[Any]
else:
    BufferLike = Any
