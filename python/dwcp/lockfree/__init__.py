"""Queues, rings and stacks without locks, for threads.

`SpscRing`, `MpmcQueue`, `Queue` and `Stack` hold Python objects, and `ByteRing` messages. Their
calls are those of queue.Queue where the names coincide (put, get, put_nowait, get_nowait, qsize,
empty, full, shutdown), with the same exceptions. Besides there are try_put and try_get, which never
wait and raise nothing, put_many and get_many for many items at once, clear, and aput and aget for
asyncio; those of objects have peek and aget_many, and the ring `reserve` and `read` for messages in
their place. `JoinableQueue` adds task_done and join. Rings and queues between processes
are in `dwcp.lockfree.shared`.

Objects may be shared by any number of threads, with the GIL and without. Waiting threads spin for
a few microseconds and then sleep; they leave the GIL to others meanwhile, and signal handlers run.
What is held is seen by the garbage collector.
"""

from queue import Empty, Full

from dwcp._core.lockfree import ShutDown, Structure
from dwcp.lockfree._byte_ring import ByteRing
from dwcp.lockfree._joinable import JoinableQueue
from dwcp.lockfree._structures import MpmcQueue, Queue, SpscRing, Stack

__all__ = [
    "ByteRing",
    "Empty",
    "Full",
    "JoinableQueue",
    "MpmcQueue",
    "Queue",
    "ShutDown",
    "SpscRing",
    "Stack",
    "Structure",
]
