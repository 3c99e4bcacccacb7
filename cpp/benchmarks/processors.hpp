// Threads of a benchmark stay where they are put.
#pragma once

#include <pthread.h>
#include <sched.h>

namespace dwcp::bench {

inline void tie_to(int cpu) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
}

}  // namespace dwcp::bench
