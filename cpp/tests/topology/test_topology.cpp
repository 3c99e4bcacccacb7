#include "dwcp/topology/topology.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "dwcp/os/scheduling.hpp"

using namespace dwcp::topology;
namespace fs = std::filesystem;

namespace {

// Files of a machine that is not there.
class Tree {
  public:
    Tree() {
        std::string name = (fs::temp_directory_path() / "dwcp-topology-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        root_ = name;
    }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree() { fs::remove_all(root_); }

    void put(const std::string& path, const std::string& text) const {
        const fs::path place = root_ / path;
        fs::create_directories(place.parent_path());
        std::ofstream(place) << text << "\n";
    }
    void put_cache(int cpu, int index, const std::string& level, const std::string& type,
                   const std::string& size, const std::string& cpus) const {
        const std::string place = "sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                  "/cache/index" + std::to_string(index) + "/";
        put(place + "level", level);
        put(place + "type", type);
        put(place + "size", size);
        put(place + "coherency_line_size", "64");
        put(place + "shared_cpu_list", cpus);
    }
    [[nodiscard]] Topology read() const {
        return dwcp::topology::read(root_ / "sys", root_ / "proc");
    }

  private:
    fs::path root_;
};

// Two sockets of two cores of two threads, a node each; numbered as Linux does, the second threads
// after all first ones.
void put_two_sockets(const Tree& tree) {
    tree.put("sys/devices/system/cpu/online", "0-7");
    for (int id = 0; id < 8; ++id) {
        const int core = id % 4;
        const std::string own = std::to_string(core) + "," + std::to_string(core + 4);
        const std::string socket = core < 2 ? "0-1,4-5" : "2-3,6-7";
        const std::string place = "sys/devices/system/cpu/cpu" + std::to_string(id) + "/topology/";
        tree.put(place + "core_id", std::to_string(core % 2));
        tree.put(place + "physical_package_id", core < 2 ? "0" : "1");
        tree.put(place + "thread_siblings_list", own);
        tree.put_cache(id, 0, "1", "Data", "48K", own);
        tree.put_cache(id, 1, "1", "Instruction", "32K", own);
        tree.put_cache(id, 2, "2", "Unified", "2048K", own);
        tree.put_cache(id, 3, "3", "Unified", "36M", socket);
    }
    for (const std::string node : {"0", "1"}) {
        const std::string place = "sys/devices/system/node/node" + node + "/";
        tree.put(place + "cpulist", node == "0" ? "0-1,4-5" : "2-3,6-7");
        tree.put(place + "distance", node == "0" ? "10 21" : "21 10");
        tree.put(place + "meminfo",
                 "Node " + node + " MemTotal:       16777216 kB\nNode 0 MemFree: 5 kB");
    }
}

}  // namespace

TEST_CASE("lists of the kernel") {
    CHECK(parse_list("0-3,8") == std::vector<int>{0, 1, 2, 3, 8});
    CHECK(parse_list("5") == std::vector<int>{5});
    CHECK(parse_list("").empty());
    CHECK(parse_list("2,x,3") == std::vector<int>{2});
    CHECK(parse_list("3-1").empty());
    CHECK(parse_list("0-99999999999").empty());
    CHECK(parse_list("-5").empty());
}

TEST_CASE("two sockets with two threads a core") {
    const Tree tree;
    put_two_sockets(tree);
    const Topology topology = tree.read();
    REQUIRE(topology.cpus.size() == 8);
    const Cpu& cpu = topology.cpu(6);
    CHECK(cpu.core == 0);
    CHECK(cpu.socket == 1);
    CHECK(cpu.node == 1);
    CHECK(cpu.siblings == std::vector<int>{2, 6});
    CHECK(topology.caches.size() == 4 + 4 + 4 + 2);
    const Cache& last = topology.caches.back();
    CHECK(last.level == 3);
    CHECK(last.type == "unified");
    CHECK(last.size_bytes == std::size_t{36} << 20);
    CHECK(last.line_bytes == 64);
    CHECK(last.cpus == std::vector<int>{2, 3, 6, 7});
    REQUIRE(topology.nodes.size() == 2);
    CHECK(topology.node(1).distances == std::vector<int>{21, 10});
    CHECK(topology.node(0).memory_bytes == std::size_t{16} << 30);
    CHECK(topology.node(1).cpus == std::vector<int>{2, 3, 6, 7});
    CHECK_THROWS_WITH_AS(static_cast<void>(topology.node(99)),
                         "there is no memory node 99; there are 0, 1", std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(topology.cpu(-1)), std::invalid_argument);
}

TEST_CASE("a machine that tells nothing is one node of the usable processors") {
    const Tree tree;
    const Topology topology = tree.read();
    CHECK(topology.cpus.size() == topology.usable.size());
    CHECK(topology.caches.empty());
    REQUIRE(topology.nodes.size() == 1);
    CHECK(topology.nodes[0].cpus == topology.usable);
    CHECK(topology.cpus[0].node == 0);
    CHECK(topology.cpus[0].core == -1);
    CHECK_FALSE(topology.quota);
}

TEST_CASE("the quota is the least of the groups that a process is in") {
    const Tree tree;
    tree.put("proc/self/cgroup", "0::/a/b");
    tree.put("sys/fs/cgroup/a/b/cpu.max", "max 100000");
    CHECK_FALSE(tree.read().quota);
    tree.put("sys/fs/cgroup/a/cpu.max", "150000 100000");
    CHECK(tree.read().quota == 1.5);
    tree.put("sys/fs/cgroup/a/b/cpu.max", "50000 100000");
    CHECK(tree.read().quota == 0.5);
    CHECK(tree.read().parallelism() == 1);
}

TEST_CASE("the quota of a first version's group") {
    const Tree tree;
    tree.put("proc/self/cgroup", "4:memory:/x\n3:cpu,cpuacct:/jobs\n0::/");
    tree.put("sys/fs/cgroup/cpu/jobs/cpu.cfs_quota_us", "250000");
    tree.put("sys/fs/cgroup/cpu/jobs/cpu.cfs_period_us", "100000");
    CHECK(tree.read().quota == 2.5);
    tree.put("sys/fs/cgroup/cpu/jobs/cpu.cfs_quota_us", "-1");
    CHECK_FALSE(tree.read().quota);
}

TEST_CASE("parallelism is what is usable within the quota") {
    Topology topology;
    topology.usable = {0, 1, 2, 3};
    CHECK(topology.parallelism() == 4);
    topology.quota = 2.5;
    CHECK(topology.parallelism() == 3);
    topology.quota = 100;
    CHECK(topology.parallelism() == 4);
}

TEST_CASE("this machine") {
    const Topology topology = read();
    CHECK(topology.cpus.size() >= topology.usable.size());
    CHECK(topology.usable == dwcp::os::affinity());
    CHECK(topology.nodes.size() >= 1);
    for (const Cpu& cpu : topology.cpus) {
        CHECK(std::binary_search(cpu.siblings.begin(), cpu.siblings.end(), cpu.id));
    }
}
