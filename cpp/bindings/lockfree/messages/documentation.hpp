// Docstrings of the methods, which all channels have in common.
#pragma once

namespace dwcp::bindings::lockfree::messages::doc {

inline constexpr const char* kBase =
    "What the structures that pass on messages have in common. Cannot be made itself.";
inline constexpr const char* kPut =
    "put($self, /, data, block=True, timeout=None)\n--\n\n"
    "Put a message, waiting for room: any number of bytes up to the longest one, 0 too.\n\n"
    "data is any C-contiguous buffer; it is copied. Waits for at most `timeout` seconds (a float "
    "from\n"
    "0; None: without end), and not at all unless `block`. The GIL is released while waiting and "
    "for\n"
    "long messages. Raises queue.Full when there was no room in time, ShutDown after shutdown(),\n"
    "PeerLost when the last consumer has died, ValueError for a message that is too long, Closed.\n"
    "May be called from any thread.";
inline constexpr const char* kPutNowait =
    "put_nowait($self, data, /)\n--\n\n"
    "put(data, block=False): raises queue.Full where there is no room.";
inline constexpr const char* kTryPut =
    "try_put($self, data, /)\n--\n\n"
    "Put a message if there is room. False, without waiting, when there is none, when another\n"
    "producer is at it, and after shutdown(). May be called from any thread.";
inline constexpr const char* kPutMany =
    "put_many($self, /, items, block=True, timeout=None)\n--\n\n"
    "Put the messages of an iterable in their order, and return how many.\n\n"
    "Waits as put() does for each. Fewer than all are put when the time ran out, or when "
    "shutdown()\n"
    "came in between. Otherwise raises what put() raises; those before are put then.";
inline constexpr const char* kReserve =
    "reserve($self, /, size, block=True, timeout=None)\n--\n\n"
    "A message of `size` bytes to be written in its place: `with ring.reserve(n) as view:`.\n\n"
    "It is put when the block ends, and dropped when an exception ends it; the view is of no use\n"
    "afterwards. Others may have to wait meanwhile. Raises what put() raises.";
inline constexpr const char* kGet =
    "get($self, /, block=True, timeout=None)\n--\n\n"
    "Take the oldest message, waiting for one, as bytes.\n\n"
    "Waits as put() does. Raises queue.Empty when none came in time, ShutDown when there is none\n"
    "after shutdown(), PeerLost when there is none and the last producer has died, Closed,\n"
    "CorruptFrame when another process has damaged the memory. May be called from any thread.";
inline constexpr const char* kGetNowait =
    "get_nowait($self, /)\n--\n\n"
    "get(block=False): raises queue.Empty where there is nothing.";
inline constexpr const char* kTryGet =
    "try_get($self, /, default=None)\n--\n\n"
    "Take the oldest message if there is one and no other consumer is at it, else return "
    "`default`.\n"
    "Never waits. May be called from any thread.";
inline constexpr const char* kGetInto =
    "get_into($self, /, out, block=True, timeout=None)\n--\n\n"
    "Take the oldest message into a writable buffer, and return its length in bytes.\n\n"
    "Raises ValueError when it is longer than `out`; it stays then. Else as get().";
inline constexpr const char* kGetMany =
    "get_many($self, /, max, block=True, timeout=None)\n--\n\n"
    "Take at most `max` messages (an int from 1) as a list, waiting as get() does for the first.";
inline constexpr const char* kRead =
    "read($self, /, block=True, timeout=None)\n--\n\n"
    "The oldest message, to be read in its place: `with ring.read() as view:`.\n\n"
    "It is taken when the block ends, and stays when an exception ends it; the view is of no use\n"
    "afterwards. Others may have to wait meanwhile. Raises what get() raises.";
inline constexpr const char* kQsize =
    "qsize($self, /)\n--\n\n"
    "How many messages there are; with others at work, roughly how many there were. In shared "
    "memory\n"
    "one too many or too few for each process that was killed in the midst of a call.";
inline constexpr const char* kEmpty =
    "empty($self, /)\n--\n\nWhether there is no message; may be outdated at once.";
inline constexpr const char* kFull =
    "full($self, /)\n--\n\n"
    "Whether there is no room, not even for a message of no bytes; may be outdated at once.";
inline constexpr const char* kClear = "clear($self, /)\n--\n\nDrop all messages.";
inline constexpr const char* kShutdown =
    "shutdown($self, /, immediate=False)\n--\n\n"
    "Let nothing more be put, by anybody, and wake all who wait; as queue.Queue of Python 3.13 "
    "does.\n\n"
    "What is there can still be taken, and then get() raises ShutDown; with `immediate` it is "
    "dropped.";
inline constexpr const char* kClose =
    "close($self, /)\n--\n\n"
    "Give this object's memory up; further calls raise Closed. Names and other handles stay.";
inline constexpr const char* kWait =
    "_wait($self, room, seconds, /)\n--\n\n"
    "Wait for room for a message of `room` bytes, or with None for a message. False when the time\n"
    "is over.";
inline constexpr const char* kAddListener =
    "_add_listener($self, fd, for_room, /)\n--\n\n"
    "Write to the eventfd `fd` whenever there may be a message, or room.";
inline constexpr const char* kRemoveListener =
    "_remove_listener($self, fd, for_room, /)\n--\n\nUndo _add_listener with the same arguments.";

}  // namespace dwcp::bindings::lockfree::messages::doc
