#include "dwcp/topology/topology.hpp"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>

#include "dwcp/os/scheduling.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

namespace {

using std::chrono::nanoseconds;

void define_classes(nb::module_& module) {
    nb::class_<topology::Cpu>(module, "Cpu",
                              "A processor, as Linux counts them: a thread of a core.")
        .def_ro("id", &topology::Cpu::id, "Its number.")
        .def_ro("core", &topology::Cpu::core, "Number of the core within the socket; -1: unknown.")
        .def_ro("socket", &topology::Cpu::socket, "Number of the package; -1: unknown.")
        .def_ro("node", &topology::Cpu::node, "Number of the memory node; -1: unknown.")
        .def_ro("siblings", &topology::Cpu::siblings,
                "Processors that share the core, itself included.");
    nb::class_<topology::Cache>(module, "Cache", "A cache of one or more processors.")
        .def_ro("level", &topology::Cache::level, "1 to 4.")
        .def_ro("type", &topology::Cache::type, "data, instruction or unified.")
        .def_ro("size_bytes", &topology::Cache::size_bytes, "0: unknown.")
        .def_ro("line_bytes", &topology::Cache::line_bytes, "0: unknown.")
        .def_ro("cpus", &topology::Cache::cpus, "Processors that share it.");
    nb::class_<topology::Node>(module, "Node", "Memory, and the processors that are near to it.")
        .def_ro("id", &topology::Node::id, "Its number.")
        .def_ro("cpus", &topology::Node::cpus, "Processors; there may be none.")
        .def_ro("memory_bytes", &topology::Node::memory_bytes, "0: unknown.")
        .def_ro("distances", &topology::Node::distances,
                "To each node, in the order of Topology.nodes; 10 is its own.");
    nb::class_<topology::Topology>(
        module, "Topology",
        "Processors, caches and memory nodes of this machine, and what the calling thread may use.")
        .def_ro("cpus", &topology::Topology::cpus, "Processors that are online.")
        .def_ro("caches", &topology::Topology::caches,
                "By level, then by their first processor; empty where the kernel tells none.")
        .def_ro("nodes", &topology::Topology::nodes, "Memory nodes, one at least.")
        .def_ro("usable", &topology::Topology::usable,
                "Processors of the calling thread's affinity, which is within its cpuset.")
        .def_ro("quota", &topology::Topology::quota,
                "Processors' worth of time that the control group grants; None: no limit.")
        .def("cpu", &topology::Topology::cpu, nb::arg("id"),
             nb::sig("def cpu(self, id: int) -> Cpu"), nb::rv_policy::reference_internal,
             "The processor of that number. Raises ValueError when there is none.")
        .def("node", &topology::Topology::node, nb::arg("id"),
             nb::sig("def node(self, id: int) -> Node"), nb::rv_policy::reference_internal,
             "The memory node of that number. Raises ValueError when there is none.")
        .def_prop_ro("parallelism", &topology::Topology::parallelism,
                     "How many threads make sense: as many as processors are usable, but not more\n"
                     "than the quota, rounded up.");
}

const char* name(os::Policy policy) {
    switch (policy) {
        case os::Policy::kFifo:
            return "fifo";
        case os::Policy::kRoundRobin:
            return "rr";
        case os::Policy::kDeadline:
            return "deadline";
        case os::Policy::kNormal:
            break;
    }
    return "normal";
}

void set_realtime(int priority, const std::string& policy, int thread) {
    const bool fifo = policy == "fifo";
    if (!fifo && policy != "rr") {
        throw std::invalid_argument("policy must be 'fifo' or 'rr', but is '" + policy + "'");
    }
    os::set_realtime(fifo ? os::Policy::kFifo : os::Policy::kRoundRobin, priority, thread);
}

}  // namespace

void init_topology(nb::module_& module) {
    define_classes(module);
    module.def(
        "topology", [] { return topology::read(); },
        "Read the topology from the kernel's files, some hundred small ones.\n\n"
        "May be called from any thread. Raises OSError where the affinity cannot be had.");
    module.def("affinity", &os::affinity, nb::arg("thread") = 0,
               "Processors on which a thread may run, in rising order.\n\n"
               "thread is threading.Thread.native_id, 0 for the calling thread. Raises OSError\n"
               "(ProcessLookupError for a thread that is not there).");
    module.def(
        "set_affinity", &os::set_affinity, nb::arg("cpus"), nb::arg("thread") = 0,
        nb::sig("def set_affinity(cpus: collections.abc.Sequence[int], thread: int = 0) -> None"),
        "Let a thread run on exactly these processors from here on.\n\n"
        "thread is threading.Thread.native_id, 0 for the calling thread; threads that it starts\n"
        "inherit it. Raises ValueError, having changed nothing, unless cpus are processors that "
        "are\n"
        "there and that this process may use; OSError as affinity() does. sched_setaffinity(2).");
    module.def("current_cpu", &os::current_cpu,
               "Number of the processor on which the calling thread runs just now.");
    module.def("current_node", &os::current_node,
               "Number of the memory node to which that processor belongs. getcpu(2).");
    module.def(
        "scheduling",
        [](int thread) { return nb::make_tuple(name(os::policy(thread)), os::priority(thread)); },
        nb::arg("thread") = 0, nb::sig("def scheduling(thread: int = 0) -> tuple[str, int]"),
        "Policy of a thread (normal, fifo, rr or deadline) and its real-time priority.\n\n"
        "thread and errors are those of affinity().");
    module.def("set_realtime", &set_realtime, nb::arg("priority"), nb::arg("policy") = "fifo",
               nb::arg("thread") = 0,
               "Run a thread before all normal ones: SCHED_FIFO or, by policy='rr', SCHED_RR.\n\n"
               "priority is 1 (least) to 99. Raises ValueError for what is out of bounds,\n"
               "PermissionError, saying what would allow it, without the privilege. sched(7).");
    module.def(
        "set_deadline",
        [](std::int64_t runtime, std::int64_t deadline, std::int64_t period, int thread) {
            os::set_deadline(nanoseconds(runtime), nanoseconds(deadline), nanoseconds(period),
                             thread);
        },
        nb::arg("runtime_ns"), nb::arg("deadline_ns"), nb::arg("period_ns"), nb::arg("thread") = 0,
        "Grant a thread runtime_ns in each period_ns, until deadline_ns after its beginning.\n\n"
        "SCHED_DEADLINE. Raises ValueError unless 1000 <= runtime_ns <= deadline_ns <= period_ns,\n"
        "PermissionError without the privilege, OSError where the time is not left.");
    module.def("set_normal", &os::set_normal, nb::arg("thread") = 0,
               "End real-time scheduling of a thread. Raises OSError as affinity() does.");
}

}  // namespace dwcp::bindings
