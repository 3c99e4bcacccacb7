// Whether a recorded history of calls on a queue or a stack is one that a single thread could have
// made: each call seems to happen at once, somewhere between its begin and its end.
//
// The search of Wing and Gong (1993), which does not go twice from the same set of calls and the
// same contents, as Lowe (2017) has it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::lockfree::testing {

struct Call {
    bool is_put = false;
    bool succeeded = false;
    int value = 0;  // what was put, or got
    std::uint64_t begun = 0;
    std::uint64_t ended = 0;
};

struct Specification {
    bool is_stack = false;
    std::size_t capacity = static_cast<std::size_t>(-1);
    // Whether a call may find nothing, or no room, because another one is under way.
    bool is_weak = false;
};

class History {
  public:
    History(std::vector<Call> calls, const Specification& specification)
        : calls_(std::move(calls)), specification_(specification) {
        if (specification_.is_weak) {
            std::erase_if(calls_, [](const Call& call) { return !call.succeeded; });
        }
        if (calls_.size() > 64) throw std::invalid_argument("a history has at most 64 calls");
    }

    [[nodiscard]] bool is_linearizable() { return search(0, {}); }

  private:
    using Contents = std::deque<int>;
    using Set = std::uint64_t;  // of calls, one bit each

    bool search(Set done, const Contents& contents) {
        if (done == all()) return true;
        if (!seen_.emplace(done, contents).second) return false;
        // The next one began before any of the others ended.
        std::uint64_t first_end = static_cast<std::uint64_t>(-1);
        for (std::size_t i = 0; i < calls_.size(); ++i) {
            if ((done >> i & 1) == 0) first_end = std::min(first_end, calls_[i].ended);
        }
        for (std::size_t i = 0; i < calls_.size(); ++i) {
            if ((done >> i & 1) != 0 || calls_[i].begun > first_end) continue;
            Contents after = contents;
            if (apply(calls_[i], after) && search(done | Set{1} << i, after)) return true;
        }
        return false;
    }
    // False when one thread could not have got that answer.
    bool apply(const Call& call, Contents& contents) const {
        if (call.is_put) {
            if (call.succeeded == (contents.size() == specification_.capacity)) return false;
            if (call.succeeded) contents.push_back(call.value);
            return true;
        }
        if (!call.succeeded) return contents.empty();
        if (contents.empty()) return false;
        const int next = specification_.is_stack ? contents.back() : contents.front();
        specification_.is_stack ? contents.pop_back() : contents.pop_front();
        return next == call.value;
    }
    [[nodiscard]] Set all() const {
        return calls_.size() == 64 ? ~Set{0} : (Set{1} << calls_.size()) - 1;
    }

    std::vector<Call> calls_;
    const Specification specification_;
    std::set<std::pair<Set, Contents>> seen_;
};

}  // namespace dwcp::lockfree::testing
