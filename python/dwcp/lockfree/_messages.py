"""What the structures that pass on messages can do besides: objects, event loops, `with`."""

import pickle
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar, cast

from dwcp._core.lockfree import Messages, ShutDown
from dwcp.typing import BufferLike

_SelfT = TypeVar("_SelfT", bound="MessageCalls")

# What no attempt returns when it succeeds.
NOTHING: Any = object()


class MessageCalls(Messages):
    """Calls that all of them have. Leaving a `with` block closes the object."""

    __slots__ = ()

    def put_object(self, value: object, block: bool = True, timeout: float | None = None) -> None:
        """Put a pickled object; buffers in it, as those of arrays, are copied once.

        Raises what `put` raises, and pickle.PicklingError.
        """
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
        lengths = [part.nbytes for part in parts]
        index = memoryview(struct.pack(f"<{len(parts) + 1}Q", len(parts), *lengths))
        with self.reserve(index.nbytes + sum(lengths), block, timeout) as view:
            at = 0
            for part in (index, *parts):
                end = at + part.nbytes
                view[at:end] = part
                at = end

    def get_object(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take what `put_object` put. Only from processes that are trusted: see pickle.

        Raises what `get` raises, and what pickle.loads does.
        """
        with self.read(block, timeout) as view:
            (count,) = struct.unpack_from("<Q", view)
            lengths = struct.unpack_from(f"<{count}Q", view, 8)
            at = 8 * (count + 1)
            parts = []
            for length in lengths:
                parts.append(bytearray(view[at : at + length]))
                at += length
        return pickle.loads(parts[0], buffers=parts[1:])

    async def aput(self, data: BufferLike) -> None:
        """Put a message when there is room. Raises what `put` raises.

        A call that is cancelled has put nothing.
        """
        size = memoryview(cast("bytes", data)).nbytes

        def attempt() -> Any:
            if self.is_shut_down:
                raise ShutDown
            return True if self.try_put(data) else NOTHING

        await self._until(attempt, size)

    async def aget(self) -> bytes:
        """Take the oldest message when there is one. Raises what `get` raises.

        A call that is cancelled has taken nothing.
        """

        def attempt() -> Any:
            # What was put before the shutdown can be got after it.
            shut_down = self.is_shut_down
            message = self.try_get(NOTHING)
            if message is NOTHING and shut_down:
                raise ShutDown
            return message

        message: bytes = await self._until(attempt, None)
        return message

    async def _until(self, attempt: Callable[[], Any], room: int | None) -> Any:
        """Call `attempt` until it returns something else than NOTHING.

        In between, wait for room for a message of so many bytes, or for a message.
        """
        raise NotImplementedError

    def __enter__(self: _SelfT) -> _SelfT:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state()}>"

    def _state(self) -> str:
        return "closed" if self.closed else f"capacity={self.capacity}"
