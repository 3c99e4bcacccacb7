#include "measures.hpp"

namespace dwcp::bench {

std::vector<Contestant> spsc(std::size_t capacity) {
    std::vector<Contestant> all;
    DWCP_BENCH_ADD("dwcp SpscRing", lockfree::SpscRing<Item>, capacity);
    DWCP_BENCH_ADD("dwcp SpscSlotRing", lockfree::SpscSlotRing<Item>, capacity);
#if defined(DWCP_BENCH_BOOST)
    DWCP_BENCH_ADD("boost", boost::lockfree::spsc_queue<Item>, capacity);
#endif
#if defined(DWCP_BENCH_ATOMIC_QUEUE)
    using AtomicQueue = atomic_queue::AtomicQueueB2<Item, std::allocator<Item>, true, false, true>;
    DWCP_BENCH_ADD("atomic_queue", AtomicQueue, static_cast<unsigned>(capacity));
#endif
#if defined(DWCP_BENCH_READERWRITERQUEUE)
    // It holds more than it is asked to: for 1,024 items four blocks of 511, for one less a block
    // of 1,023.
    DWCP_BENCH_ADD("readerwriterqueue", moodycamel::ReaderWriterQueue<Item>, capacity - 1);
#endif
    DWCP_BENCH_ADD("mutex", LockedQueue, capacity);
    return all;
}

}  // namespace dwcp::bench
