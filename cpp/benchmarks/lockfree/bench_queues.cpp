// Queues, rings and stacks beside those of other libraries, for items of eight bytes.
//
//   bench_queues [KIND [ROUNDS [--json]]]      KIND: spsc, mpmc, unbounded, stack, or all
//
// In each row all take turns, round after round, and the best of each counts; after a colon how
// many times as fast the best of ours is as the best of the others, and the median of that over the
// rounds: where a host moves the processors nearer and further, not all find them near as often.
// Two threads are tied to two processors. With --json each row is an object on a line of its own,
// for asv_benchmarks/queues.py. Peers are looked for among the installed headers (libboost-dev,
// libatomic-queue-dev, libreaderwriterqueue-dev, libconcurrentqueue-dev, libxenium-dev).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "contest.hpp"
#include "measures.hpp"

namespace dwcp::bench {

namespace {

// How many times as fast ours are as the others; 0 where there are none.
struct Ratios {
    double of_bests = 0;
    double median = 0;  // of the rounds
};

void print_text(const char* name, const std::vector<Contestant>& all, Measure measure,
                const Ratios& ratios) {
    std::printf("  %-34s", name);
    for (const Contestant& one : all) {
        if (one.best[measure] != 0) std::printf("  %s %.1f", one.name.c_str(), one.best[measure]);
    }
    if (ratios.of_bests != 0) std::printf(": %.2f, median %.2f", ratios.of_bests, ratios.median);
    std::printf("\n");
}
// Names have nothing that JSON would have to escape.
void print_json(const std::string& title, const char* name, const std::vector<Contestant>& all,
                Measure measure, const Ratios& ratios) {
    std::printf(R"({"title": "%s", "measure": "%s", "ratio": %.3f, "median": %.3f, "values": {)",
                title.c_str(), name, ratios.of_bests, ratios.median);
    const char* separator = "";
    for (const Contestant& one : all) {
        if (one.best[measure] == 0) continue;
        std::printf(R"(%s"%s": %.2f)", separator, one.name.c_str(), one.best[measure]);
        separator = ", ";
    }
    std::printf("}}\n");
}

// The best values of ours and of the others.
class Match {
  public:
    explicit Match(Measure measure) : less_is_better_(kLessIsBetter[measure]) {}

    void add(const Contestant& one, double value) {
        double& best = one.name.starts_with("dwcp") ? ours_ : theirs_;
        if (is_better(value, best)) best = value;
    }
    bool is_better(double value, double than) const {
        return value != 0 && (than == 0 || (less_is_better_ ? value < than : value > than));
    }
    double ratio() const {
        if (ours_ == 0 || theirs_ == 0) return 0;
        return less_is_better_ ? theirs_ / ours_ : ours_ / theirs_;
    }

  private:
    bool less_is_better_;
    double ours_ = 0;
    double theirs_ = 0;
};

void compare(const std::string& title, std::vector<Contestant> all, int rounds, bool json) {
    if (!json) std::printf("%s\n", title.c_str());
    for (int number = 0; number < kMeasures; ++number) {
        const auto measure = static_cast<Measure>(number);
        Match bests(measure);
        std::vector<double> of_rounds;
        for (int round = 0; round < rounds; ++round) {
            Match match(measure);
            for (std::size_t i = 0; i < all.size(); ++i) {
                Contestant& one = all[(i + static_cast<std::size_t>(round)) % all.size()];
                const double value = one.measure(measure);
                match.add(one, value);
                bests.add(one, value);
                if (bests.is_better(value, one.best[measure])) one.best[measure] = value;
            }
            of_rounds.push_back(match.ratio());
        }
        std::nth_element(of_rounds.begin(), of_rounds.begin() + rounds / 2, of_rounds.end());
        const Ratios ratios{bests.ratio(), of_rounds[static_cast<std::size_t>(rounds / 2)]};
        if (json) {
            print_json(title, kNames[measure], all, measure, ratios);
        } else {
            print_text(kNames[measure], all, measure, ratios);
        }
        std::fflush(stdout);
    }
}

}  // namespace

}  // namespace dwcp::bench

int main(int argc, char** argv) {
    using namespace dwcp::bench;
    const std::string_view kind = argc > 1 ? argv[1] : "all";
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
    const std::string_view kinds[] = {"all", "spsc", "mpmc", "unbounded", "stack"};
    const bool json = argc > 3 && std::string_view(argv[3]) == "--json";
    if (rounds < 1 || argc > (json ? 4 : 3) ||
        std::find(std::begin(kinds), std::end(kinds), kind) == std::end(kinds)) {
        std::fprintf(stderr,
                     "usage: bench_queues [spsc|mpmc|unbounded|stack|all [ROUNDS [--json]]]\n");
        return 2;
    }
    // A mutex is cheaper in a process that has never had a second thread.
    std::jthread([] {}).join();
    tie_to(0);
    const auto wanted = [&](std::string_view name) { return kind == "all" || kind == name; };
    for (const std::size_t capacity : {16, 1024, 65536}) {
        const std::string label = ", capacity " + std::to_string(capacity);
        if (wanted("spsc")) compare("one to one" + label, spsc(capacity), rounds, json);
        if (wanted("mpmc")) compare("any to any" + label, mpmc(capacity), rounds, json);
    }
    if (wanted("unbounded")) compare("unbounded", unbounded(), rounds, json);
    if (wanted("stack")) compare("stacks", stacks(), rounds, json);
    return 0;
}
