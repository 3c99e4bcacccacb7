#include "model/model.hpp"

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <vector>

namespace dwcp::model {

namespace {

constexpr std::size_t kThreadsMax = 4;  // and the one that begins and ends the program
constexpr std::size_t kMain = kThreadsMax;
constexpr std::size_t kStackBytes = 256 << 10;

// How many steps of each thread are known to have happened before.
using Clock = std::array<std::uint32_t, kThreadsMax + 1>;

void join(Clock& clock, const Clock& other) {
    for (std::size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

struct Store {
    std::uint64_t value;
    std::size_t thread;
    std::uint32_t time;
    Clock released;  // what happened before for whoever acquires it
};

struct Location {
    std::vector<Store> stores;  // in their modification order
};

// An object that is not atomic.
struct Plain {
    std::size_t writer = kMain;
    std::uint32_t written = 0;
    Clock read{};
};

// A thread of the program. All are run by one thread of the system, each on its own stack: handing
// the turn over takes a fraction of a microsecond.
struct Thread {
    std::function<void()> work;
    std::vector<std::byte> stack;
    ucontext_t context{};
    bool mortal = false;
    bool died = false;
    bool done = false;
    bool paused = false;
    std::optional<std::size_t> asleep_on;  // a location
    Clock clock{};
    Clock fence_released{};         // what was before the last release fence
    Clock fence_acquired{};         // what an acquire fence would get
    std::vector<std::size_t> seen;  // for each location the newest store that it must not go behind
    std::vector<unsigned> stale;    // how many times in a row it read an older one
};

struct Choice {
    std::size_t taken;
    std::size_t count;
};

// The search, and the run that is under way. One thread at a time uses it: whoever has the turn.
struct Search {
    Options options;
    std::vector<Choice> choices;
    std::size_t depth = 0;
    std::string failure;

    std::array<Thread, kThreadsMax + 1> threads;
    std::size_t count = 0;
    std::size_t current = kMain;
    std::vector<Location> locations;
    std::vector<Plain> plains;
    std::vector<std::size_t> sc_seen;
    unsigned preemptions = 0;
    unsigned deaths = 0;
    std::size_t steps = 0;
    bool free = false;  // nothing is chosen any more: the run only has to end
    std::function<void()> last;

    explicit Search(const Options& given) : options(given) {}

    void fail(const std::string& what) {
        if (failure.empty()) failure = what;
        free = true;
    }
    std::size_t choose(std::size_t among) {
        if (free || among <= 1) return 0;
        if (depth == choices.size()) choices.push_back({0, among});
        if (choices[depth].count != among) throw std::logic_error("not the same run again");
        return choices[depth++].taken;
    }

    Thread& self() { return threads[current]; }

    void switch_to(std::size_t next) {
        if (next == current) return;
        Thread& before = self();
        current = next;
        swapcontext(&before.context, &threads[next].context);
    }
    // Who may make the next step, the current thread first.
    std::vector<std::size_t> able() const {
        std::vector<std::size_t> found;
        const auto is_able = [&](std::size_t i) {
            return !threads[i].done && !threads[i].paused && !threads[i].asleep_on;
        };
        if (is_able(current)) found.push_back(current);
        for (std::size_t i = 0; i < count; ++i) {
            if (i != current && is_able(i)) found.push_back(i);
        }
        return found;
    }
    // Before each step.
    void step() {
        if (current == kMain) return;
        if (++steps > options.steps_max) free = true;
        if (self().mortal && deaths < options.deaths && choose(2) == 1) {
            ++deaths;
            self().died = self().done = true;
            changed();
            give_up_turn();  // for ever
        }
        const std::vector<std::size_t> threads_able = able();
        if (threads_able.size() > 1 && preemptions < options.preemptions) {
            const std::size_t chosen = choose(threads_able.size());
            if (chosen != 0) {
                ++preemptions;
                switch_to(threads_able[chosen]);
            }
        }
        ++self().clock[current];
    }
    // The current thread cannot go on: another one has to.
    void give_up_turn() {
        std::vector<std::size_t> others = able();
        if (others.empty()) {
            // Who read something old has a reason to look again.
            for (std::size_t i = 0; i < count; ++i) {
                const std::vector<unsigned>& stale = threads[i].stale;
                if (std::any_of(stale.begin(), stale.end(), [](unsigned n) { return n > 0; })) {
                    threads[i].paused = false;
                }
            }
            others = able();
        }
        if (others.empty()) {
            bool waiting = false;
            for (std::size_t i = 0; i < count; ++i) waiting = waiting || !threads[i].done;
            if (!waiting) {
                switch_to(kMain);
                return;
            }
            fail("all threads wait for one another");
            for (std::size_t i = 0; i < count; ++i) {
                threads[i].paused = false;
                threads[i].asleep_on.reset();
            }
            others = able();
        }
        switch_to(others[choose(others.size())]);
    }
    void changed() {
        for (std::size_t i = 0; i < count; ++i) {
            if (i != current) threads[i].paused = false;
        }
    }

    std::size_t floor_of(const Thread& thread, std::size_t location) const {
        std::size_t floor = location < thread.seen.size() ? thread.seen[location] : 0;
        const std::vector<Store>& stores = locations[location].stores;
        for (std::size_t i = stores.size(); i-- > floor;) {
            if (stores[i].time <= thread.clock[stores[i].thread]) return i;
        }
        return floor;
    }
    void see(Thread& thread, std::size_t location, std::size_t index) {
        if (thread.seen.size() <= location) thread.seen.resize(location + 1);
        thread.seen[location] = std::max(thread.seen[location], index);
    }
    void in_total_order() {
        Thread& thread = self();
        sc_seen.resize(locations.size());
        for (std::size_t i = 0; i < locations.size(); ++i) {
            sc_seen[i] = std::max(sc_seen[i], floor_of(thread, i));
            see(thread, i, sc_seen[i]);
        }
    }
    void acquire(const Store& store, std::memory_order order) {
        Thread& thread = self();
        join(thread.fence_acquired, store.released);
        if (order != std::memory_order_relaxed && order != std::memory_order_release) {
            join(thread.clock, store.released);
        }
    }
    void add(std::size_t location, std::uint64_t value, std::memory_order order,
             const Clock* continued) {
        Thread& thread = self();
        Store store{value, current, thread.clock[current], thread.fence_released};
        if (order != std::memory_order_relaxed && order != std::memory_order_acquire) {
            join(store.released, thread.clock);
        }
        if (continued != nullptr) join(store.released, *continued);
        locations[location].stores.push_back(store);
        see(thread, location, locations[location].stores.size() - 1);
        // What the thread does from here on is not what it made known.
        ++thread.clock[current];
        changed();
    }

    bool next() {
        while (!choices.empty() && choices.back().taken + 1 == choices.back().count) {
            choices.pop_back();
        }
        if (choices.empty()) return false;
        ++choices.back().taken;
        return true;
    }
};

// Ends a thread that could wait for ever.
struct Abandoned {};

Search* search = nullptr;

void run_thread() {
    Search& run = *search;
    Thread& thread = run.self();
    try {
        thread.work();
    } catch (const Abandoned&) {
        // There is a failure already.
    } catch (const std::exception& error) {
        run.fail(std::string("a thread ended by an exception: ") + error.what());
    }
    thread.done = true;
    run.changed();
    run.give_up_turn();
}

void run_once(Search& run, const std::function<void(Program&)>& setup) {
    run.depth = 0;
    run.count = 0;
    run.current = kMain;
    run.locations.clear();
    run.plains.clear();
    run.sc_seen.clear();
    run.preemptions = run.deaths = 0;
    run.steps = 0;
    run.free = false;
    run.last = nullptr;
    Thread& main = run.threads[kMain];
    main.clock = main.fence_released = main.fence_acquired = {};
    main.seen.clear();
    main.stale.clear();
    main.clock[kMain] = 1;
    Program program;
    setup(program);
    for (std::size_t i = 0; i < run.count; ++i) {
        Thread& thread = run.threads[i];
        thread.died = thread.done = thread.paused = false;
        thread.asleep_on.reset();
        thread.clock = main.clock;
        thread.clock[i] = 1;
        thread.fence_released = thread.fence_acquired = {};
        thread.seen.clear();
        thread.stale.clear();
        thread.stack.resize(kStackBytes);
        getcontext(&thread.context);
        thread.context.uc_stack.ss_sp = thread.stack.data();
        thread.context.uc_stack.ss_size = thread.stack.size();
        makecontext(&thread.context, run_thread, 0);
    }
    run.switch_to(run.choose(run.count));
    for (std::size_t i = 0; i < run.count; ++i) {
        join(main.clock, run.threads[i].clock);
        run.threads[i].work = nullptr;
    }
    if (run.last && run.failure.empty()) run.last();
    run.last = nullptr;
}

}  // namespace

void Program::thread(std::function<void()> work, bool mortal) {
    if (search->count == kThreadsMax) throw std::logic_error("too many threads for the model");
    search->threads[search->count].work = std::move(work);
    search->threads[search->count++].mortal = mortal;
}

void Program::finally(std::function<void()> work) {
    search->last = std::move(work);
}

void require(bool holds, const char* what) {
    if (!holds) search->fail(std::string("not so: ") + what);
}

std::size_t this_thread() {
    return search->current;
}

bool has_died(std::size_t thread) {
    Search& run = *search;
    run.step();
    if (!run.threads[thread].died) return false;
    join(run.self().clock, run.threads[thread].clock);
    return true;
}

Result check(const Options& options, const std::function<void(Program&)>& setup) {
    Search run(options);
    search = &run;
    Result result;
    do {
        run_once(run, setup);
        ++result.runs;
    } while (run.failure.empty() && run.next() && result.runs < options.runs_max);
    result.failure = run.failure;
    result.complete = run.failure.empty() && run.choices.empty();
    search = nullptr;
    return result;
}

namespace detail {

std::size_t new_location(std::uint64_t value) {
    Search& run = *search;
    const std::size_t number = run.locations.size();
    run.locations.emplace_back();
    Thread& thread = run.self();
    run.locations.back().stores.push_back(
        {value, run.current, thread.clock[run.current], thread.clock});
    return number;
}

std::uint64_t load(std::size_t location, std::memory_order order) {
    Search& run = *search;
    run.step();
    if (order == std::memory_order_seq_cst) run.in_total_order();
    Thread& thread = run.self();
    const std::vector<Store>& stores = run.locations[location].stores;
    const std::size_t floor = run.floor_of(thread, location);
    const std::size_t newest = stores.size() - 1;
    if (thread.stale.size() <= location) thread.stale.resize(location + 1);
    unsigned& stale = thread.stale[location];
    const bool may_be_old = stale < run.options.stale_reads && run.current != kMain;
    const std::size_t back = may_be_old ? run.choose(newest - floor + 1) : 0;
    stale = back == 0 ? 0 : stale + 1;
    const Store& read = stores[newest - back];
    run.see(thread, location, newest - back);
    run.acquire(read, order);
    return read.value;
}

void store(std::size_t location, std::uint64_t value, std::memory_order order) {
    Search& run = *search;
    run.step();
    if (order == std::memory_order_seq_cst) run.in_total_order();
    run.add(location, value, order, nullptr);
    if (order == std::memory_order_seq_cst) run.in_total_order();
}

std::uint64_t modify(std::size_t location, std::memory_order success, std::memory_order failure,
                     const std::function<bool(std::uint64_t& value)>& change) {
    Search& run = *search;
    run.step();
    if (success == std::memory_order_seq_cst) run.in_total_order();
    const Store before = run.locations[location].stores.back();
    std::uint64_t value = before.value;
    if (change(value)) {
        run.acquire(before, success);
        run.add(location, value, success, &before.released);
    } else {
        run.see(run.self(), location, run.locations[location].stores.size() - 1);
        run.acquire(before, failure);
    }
    if (success == std::memory_order_seq_cst) run.in_total_order();
    return before.value;
}

void fence(std::memory_order order) {
    Search& run = *search;
    run.step();
    Thread& thread = run.self();
    if (order != std::memory_order_release) join(thread.clock, thread.fence_acquired);
    if (order == std::memory_order_seq_cst) run.in_total_order();
    if (order != std::memory_order_acquire) thread.fence_released = thread.clock;
}

void pause() {
    Search& run = *search;
    if (run.current == kMain) return;
    run.self().paused = true;
    run.give_up_turn();
    run.self().paused = false;
    if (!run.failure.empty()) throw Abandoned();
}

void wait(std::size_t location, std::uint64_t value) {
    Search& run = *search;
    run.step();
    if (run.current == kMain || run.locations[location].stores.back().value != value) return;
    run.self().asleep_on = location;
    run.give_up_turn();
    if (!run.failure.empty()) throw Abandoned();
}

void wake(std::size_t location, int count) {
    Search& run = *search;
    run.step();
    for (; count > 0; --count) {
        std::vector<std::size_t> asleep;
        for (std::size_t i = 0; i < run.count; ++i) {
            if (run.threads[i].asleep_on == location) asleep.push_back(i);
        }
        if (asleep.empty()) return;
        run.threads[asleep[run.choose(asleep.size())]].asleep_on.reset();
    }
}

std::uintptr_t thread_token() {
    return (this_thread() + 1) << 12;  // as far apart as those of real threads
}

std::size_t new_value() {
    search->plains.emplace_back();
    return search->plains.size() - 1;
}

void read_value(std::size_t value) {
    Search& run = *search;
    Plain& plain = run.plains[value];
    const Clock& clock = run.self().clock;
    if (plain.written > clock[plain.writer])
        run.fail("data race: read while another thread writes");
    plain.read[run.current] = clock[run.current];
}

void write_value(std::size_t value) {
    Search& run = *search;
    Plain& plain = run.plains[value];
    const Clock& clock = run.self().clock;
    if (plain.written > clock[plain.writer]) run.fail("data race: two threads write");
    for (std::size_t i = 0; i < clock.size(); ++i) {
        if (plain.read[i] > clock[i]) run.fail("data race: written while another thread reads");
    }
    plain.writer = run.current;
    plain.written = clock[run.current];
}

}  // namespace detail

}  // namespace dwcp::model
