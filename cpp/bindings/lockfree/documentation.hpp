// Docstrings of the methods, which all structures have in common.
#pragma once

namespace dwcp::bindings::lockfree::doc {

inline constexpr const char* kPut =
    "put($self, /, item, block=True, timeout=None)\n--\n\n"
    "Put an item, waiting while the structure is full.\n\n"
    "Waits for at most `timeout` seconds (a float from 0; None: without end), and not at all "
    "unless\n"
    "`block`. Unbounded structures never wait. The GIL is released while waiting; signal handlers\n"
    "run and may end the wait. Raises queue.Full when there was no room in time, ShutDown after\n"
    "shutdown(), ValueError for a negative timeout, MemoryError. May be called from any thread.";
inline constexpr const char* kPutNowait =
    "put_nowait($self, item, /)\n--\n\n"
    "put(item, block=False): raises queue.Full where there is no room.";
inline constexpr const char* kTryPut =
    "try_put($self, item, /)\n--\n\n"
    "Put an item if there is room. False, without waiting, when the structure is full or shut "
    "down.\n\n"
    "May be called from any thread. Raises MemoryError when an unbounded structure cannot grow.";
inline constexpr const char* kPutMany =
    "put_many($self, /, items, block=True, timeout=None)\n--\n\n"
    "Put the items of an iterable in their order, and return how many.\n\n"
    "Waits as put() does until all are put. Fewer than all are put when the time ran out, or when\n"
    "shutdown() came in between: those from items[n] on are then still the caller's. The items of "
    "one\n"
    "call stay together as far as there is room at once. Raises ShutDown when nothing was put for\n"
    "that reason.";
inline constexpr const char* kGet =
    "get($self, /, block=True, timeout=None)\n--\n\n"
    "Take an item, waiting while the structure is empty.\n\n"
    "Waits for at most `timeout` seconds (a float from 0; None: without end), and not at all "
    "unless\n"
    "`block`. The GIL is released while waiting; signal handlers run and may end the wait. Raises\n"
    "queue.Empty when nothing came in time, ShutDown when it is empty after shutdown(), "
    "ValueError\n"
    "for a negative timeout. May be called from any thread.";
inline constexpr const char* kGetNowait =
    "get_nowait($self, /)\n--\n\n"
    "get(block=False): raises queue.Empty where there is nothing.";
inline constexpr const char* kTryGet =
    "try_get($self, /, default=None)\n--\n\n"
    "Take an item if there is one, else return `default`. Never waits. May be called from any "
    "thread.";
inline constexpr const char* kGetMany =
    "get_many($self, /, max, block=True, timeout=None)\n--\n\n"
    "Take at most `max` items (an int from 1) as a list, waiting as get() does for the first "
    "one.\n\n"
    "Raises what get() raises.";
inline constexpr const char* kPeek =
    "peek($self, /)\n--\n\n"
    "The item that get() would take now, which stays. Raises queue.Empty where there is none.\n\n"
    "May be called from any thread; another thread may take the item at once.";
inline constexpr const char* kQsize =
    "qsize($self, /)\n--\n\n"
    "How many items there are; with other threads, roughly how many there were.";
inline constexpr const char* kEmpty =
    "empty($self, /)\n--\n\nWhether qsize() is 0; may be outdated at once.";
inline constexpr const char* kFull =
    "full($self, /)\n--\n\n"
    "Whether there is room for nothing more; may be outdated at once. False where there is no "
    "bound.";
inline constexpr const char* kClear =
    "clear($self, /)\n--\n\nDrop all items, also those that other threads put meanwhile.";
inline constexpr const char* kShutdown =
    "shutdown($self, /, immediate=False)\n--\n\n"
    "Let nothing more be put, and wake all who wait; as queue.Queue of Python 3.13 does.\n\n"
    "What is there can still be taken, and then get() raises ShutDown; with `immediate` it is "
    "dropped.";
inline constexpr const char* kAddListener =
    "_add_listener($self, fd, for_room, /)\n--\n\n"
    "Write to the eventfd `fd` whenever there are items, or room.";
inline constexpr const char* kRemoveListener =
    "_remove_listener($self, fd, for_room, /)\n--\n\nUndo _add_listener with the same arguments.";
inline constexpr const char* kClassGetItem =
    "__class_getitem__($cls, item, /)\n--\n\nFor annotations: MpmcQueue[int].";

}  // namespace dwcp::bindings::lockfree::doc
