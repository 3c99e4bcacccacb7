#include "measures.hpp"

namespace dwcp::bench {

std::vector<Contestant> mpmc(std::size_t capacity) {
    std::vector<Contestant> all;
    DWCP_BENCH_ADD("dwcp MpmcQueue", lockfree::MpmcQueue<Item>, capacity);
#if defined(DWCP_BENCH_ATOMIC_QUEUE)
    DWCP_BENCH_ADD("atomic_queue", atomic_queue::AtomicQueueB2<Item>,
                   static_cast<unsigned>(capacity));
#endif
#if defined(DWCP_BENCH_XENIUM)
    DWCP_BENCH_ADD("xenium vyukov", xenium::vyukov_bounded_queue<Item>, capacity);
#endif
    DWCP_BENCH_ADD("mutex", LockedQueue, capacity);
    return all;
}

}  // namespace dwcp::bench
