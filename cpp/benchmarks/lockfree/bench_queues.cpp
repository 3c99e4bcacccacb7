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
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "contestants.hpp"

namespace dwcp::bench {

namespace {

using Clock = std::chrono::steady_clock;

void tie_to(int cpu) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
}

[[noreturn]] void wrong(const char* what) {
    std::fprintf(stderr, "bench_queues: %s: the sum of what came out is wrong\n", what);
    std::exit(1);
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr Item sum_below(Item count) {
    return count * (count - 1) / 2;
}

// Nanoseconds for one item put and got again by one thread.
template <typename Queue>
double one_thread(Queue& queue) {
    constexpr Item kItems = 300'000;
    Item sum = 0;
    const auto start = Clock::now();
    for (Item i = 0; i < kItems; ++i) {
        Item item = 0;
        static_cast<void>(put(queue, i));
        static_cast<void>(get(queue, item));
        sum += item;
    }
    const double seconds = seconds_since(start);
    if (sum != sum_below(kItems)) wrong("one thread");
    return seconds / kItems * 1e9;
}

// Million items a second from one thread to another.
template <typename Queue>
double throughput(Queue& queue) {
    constexpr Item kItems = 1'000'000;
    std::barrier begin(2);
    std::jthread producer([&] {
        tie_to(1);
        begin.arrive_and_wait();
        for (Item i = 0; i < kItems;) i += put(queue, i) ? 1 : 0;
    });
    Item sum = 0;
    begin.arrive_and_wait();
    const auto start = Clock::now();
    for (Item i = 0; i < kItems;) {
        Item item = 0;
        if (!get(queue, item)) continue;
        sum += item;
        ++i;
    }
    const double seconds = seconds_since(start);
    if (sum != sum_below(kItems)) wrong("throughput");
    return kItems / seconds / 1e6;
}

// Nanoseconds for one item to another thread and back.
template <typename Queue>
double round_trip(Queue& there, Queue& back) {
    constexpr Item kTrips = 50'000;
    std::barrier begin(2);
    std::jthread echo([&] {
        tie_to(1);
        begin.arrive_and_wait();
        for (Item i = 0; i < kTrips; ++i) {
            Item item = 0;
            while (!get(there, item)) {
            }
            while (!put(back, item)) {
            }
        }
    });
    Item sum = 0;
    begin.arrive_and_wait();
    const auto start = Clock::now();
    for (Item i = 0; i < kTrips; ++i) {
        Item item = 0;
        while (!put(there, i)) {
        }
        while (!get(back, item)) {
        }
        sum += item;
    }
    const double seconds = seconds_since(start);
    if (sum != sum_below(kTrips)) wrong("round trip");
    return seconds / kTrips * 1e9;
}

// Million items a second in batches, where there are any.
template <typename Queue, std::size_t kBatch>
double batches(Queue& queue) {
    constexpr Item kItems = 1 << 21;
    const auto put_all = [&](Item first) {
        Item items[kBatch];
        for (std::size_t i = 0; i < kBatch; ++i) items[i] = first + i;
        for (std::size_t done = 0; done < kBatch;) {
            if constexpr (requires { queue.put_many(items, kBatch); }) {
                if constexpr (std::is_void_v<decltype(queue.put_many(items, kBatch))>) {
                    queue.put_many(items, kBatch);
                    done = kBatch;
                } else {
                    done += queue.put_many(items + done, kBatch - done);
                }
            } else if constexpr (requires { queue.push(items, kBatch); }) {
                done += queue.push(items + done, kBatch - done);
            } else if constexpr (requires { queue.enqueue_bulk(items, kBatch); }) {
                done = queue.enqueue_bulk(items, kBatch) ? kBatch : 0;
            }
        }
    };
    const auto get_some = [&](Item* items) -> std::size_t {
        if constexpr (requires { queue.get_many(items, kBatch); }) {
            return queue.get_many(items, kBatch);
        } else if constexpr (requires { queue.pop(items, kBatch); }) {
            return queue.pop(items, kBatch);
        } else if constexpr (requires { queue.try_dequeue_bulk(items, kBatch); }) {
            return queue.try_dequeue_bulk(items, kBatch);
        }
        return 0;
    };
    std::barrier begin(2);
    std::jthread producer([&] {
        tie_to(1);
        begin.arrive_and_wait();
        for (Item i = 0; i < kItems; i += kBatch) put_all(i);
    });
    Item sum = 0;
    Item items[kBatch];
    begin.arrive_and_wait();
    const auto start = Clock::now();
    for (Item i = 0; i < kItems;) {
        const std::size_t count = get_some(items);
        for (std::size_t k = 0; k < count; ++k) sum += items[k];
        i += count;
    }
    const double seconds = seconds_since(start);
    if (sum != sum_below(kItems)) wrong("batches");
    return kItems / seconds / 1e6;
}

template <typename Queue>
concept Batched = requires(Queue& queue, Item* items) { queue.put_many(items, 1); } ||
                  requires(Queue& queue, Item* items) { queue.push(items, 1); } ||
                  requires(Queue& queue, Item* items) { queue.enqueue_bulk(items, 1); };

enum Measure { kOne, kThroughput, kRoundTrip, kBatch8, kBatch32, kBatch256, kMeasures };
constexpr const char* kNames[kMeasures] = {"put and get by one thread, ns",
                                           "one thread to another, million/s",
                                           "round trip, ns",
                                           "batches of 8, million/s",
                                           "batches of 32, million/s",
                                           "batches of 256, million/s"};
constexpr bool kLessIsBetter[kMeasures] = {true, false, true, false, false, false};

struct Contestant {
    std::string name;
    std::function<double(Measure)> measure;  // 0: it has none
    double best[kMeasures] = {};
};

template <typename Make>
Contestant contestant(std::string name, Make make) {
    using Queue = typename decltype(make())::element_type;
    std::shared_ptr<Queue> queue = make();
    std::shared_ptr<Queue> back = make();
    return {std::move(name),
            [queue, back](Measure measure) -> double {
                if (measure == kOne) return one_thread(*queue);
                if (measure == kThroughput) return throughput(*queue);
                if (measure == kRoundTrip) return round_trip(*queue, *back);
                if constexpr (Batched<Queue>) {
                    if (measure == kBatch8) return batches<Queue, 8>(*queue);
                    if (measure == kBatch32) return batches<Queue, 32>(*queue);
                    return batches<Queue, 256>(*queue);
                }
                return 0;
            },
            {}};
}

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

#define DWCP_BENCH_ADD(name, type, ...) \
    all.push_back(contestant(name, [=] { return std::make_shared<type>(__VA_ARGS__); }))

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
    DWCP_BENCH_ADD("readerwriterqueue", moodycamel::ReaderWriterQueue<Item>, capacity);
#endif
    DWCP_BENCH_ADD("mutex", LockedQueue, capacity);
    return all;
}

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

std::vector<Contestant> stacks() {
    std::vector<Contestant> all;
    DWCP_BENCH_ADD("dwcp Stack", lockfree::Stack<Item>);
#if defined(DWCP_BENCH_BOOST)
    DWCP_BENCH_ADD("boost", boost::lockfree::stack<Item>, 1024);
#endif
    DWCP_BENCH_ADD("mutex", LockedStack);
    return all;
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
