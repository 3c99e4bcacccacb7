#include "measures.hpp"

namespace dwcp::bench {

std::vector<Contestant> unbounded() {
    std::vector<Contestant> all;
    DWCP_BENCH_ADD("dwcp SegmentedQueue", lockfree::SegmentedQueue<Item>);
    DWCP_BENCH_ADD("dwcp MichaelScottQueue", lockfree::MichaelScottQueue<Item>);
#if defined(DWCP_BENCH_BOOST)
    DWCP_BENCH_ADD("boost", boost::lockfree::queue<Item>, 1024);
#endif
#if defined(DWCP_BENCH_CONCURRENTQUEUE)
    DWCP_BENCH_ADD("concurrentqueue", moodycamel::ConcurrentQueue<Item>);
#endif
#if defined(DWCP_BENCH_XENIUM)
    DWCP_BENCH_ADD("xenium ramalhete", Ramalhete);
    DWCP_BENCH_ADD("xenium michael_scott", XeniumMichaelScott);
#endif
    DWCP_BENCH_ADD("mutex", LockedQueue);
    return all;
}

}  // namespace dwcp::bench
