// Who takes part in bench_queues, and what is measured of each.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace dwcp::bench {

enum Measure { kOne, kThroughput, kRoundTrip, kBatch8, kBatch32, kBatch256, kMeasures };
inline constexpr const char* kNames[kMeasures] = {"put and get by one thread, ns",
                                                  "one thread to another, million/s",
                                                  "round trip, ns",
                                                  "batches of 8, million/s",
                                                  "batches of 32, million/s",
                                                  "batches of 256, million/s"};
inline constexpr bool kLessIsBetter[kMeasures] = {true, false, true, false, false, false};

struct Contestant {
    std::string name;
    std::function<double(Measure)> measure;  // 0: it has none
    double best[kMeasures] = {};
};

// Each kind is a source file of its own: in one large file the compiler stops to inline calls, now
// of the one contestant, now of the other.
std::vector<Contestant> spsc(std::size_t capacity);
std::vector<Contestant> mpmc(std::size_t capacity);
std::vector<Contestant> unbounded();
std::vector<Contestant> stacks();

}  // namespace dwcp::bench
