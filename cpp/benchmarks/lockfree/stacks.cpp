#include "measures.hpp"

namespace dwcp::bench {

std::vector<Contestant> stacks() {
    std::vector<Contestant> all;
    DWCP_BENCH_ADD("dwcp Stack", lockfree::Stack<Item>);
#if defined(DWCP_BENCH_BOOST)
    DWCP_BENCH_ADD("boost", boost::lockfree::stack<Item>, 1024);
#endif
    DWCP_BENCH_ADD("mutex", LockedStack);
    return all;
}

}  // namespace dwcp::bench
