#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "dwcp/os/machine.hpp"
#include "dwcp/os/placed_memory.hpp"

using namespace dwcp::os;

namespace {

std::span<const std::byte> all(const PlacedMemory& pages) {
    return {pages.data(), pages.size()};
}
bool is_zero(const PlacedMemory& pages) {
    const auto bytes = all(pages);
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

TEST_CASE("pages are zeros, there, and can be written") {
    for (const std::size_t size : {1, 4096, 4097, 3 << 20}) {
        const PlacedMemory pages(size, {});
        CHECK(pages.size() == (size + page_bytes() - 1) / page_bytes() * page_bytes());
        CHECK(reinterpret_cast<std::uintptr_t>(pages.data()) % page_bytes() == 0);
        CHECK(is_zero(pages));
        std::memset(pages.data(), 7, pages.size());
        CHECK(pages.kind() == PageKind::kPlain);
        CHECK(pages.reason().empty());
        std::vector<unsigned char> resident(pages.size() / page_bytes());
        REQUIRE(mincore(pages.data(), pages.size(), resident.data()) == 0);
        CHECK(std::all_of(resident.begin(), resident.end(),
                          [](unsigned char r) { return (r & 1) != 0; }));
    }
}

TEST_CASE("huge pages are what the kernel says they are") {
    const PlacedMemory pages((4 << 20) + 1, {.huge = true});
    CHECK(pages.size() == std::size_t{6} << 20);
    CHECK(reinterpret_cast<std::uintptr_t>(pages.data()) % (2 << 20) == 0);
    CHECK(is_zero(pages));
    std::memset(pages.data(), 7, pages.size());
    if (pages.kind() == PageKind::kPlain) {
        CHECK(pages.huge_bytes() == 0);
        CHECK(pages.reason().find("transparent_hugepage") != std::string::npos);
    } else {
        CHECK(pages.huge_bytes() > 0);
    }
    if (pages.kind() != PageKind::kHugetlb) {
        CHECK(pages.reason().find("vm.nr_hugepages") != std::string::npos);
    }
}

TEST_CASE("memory is placed on the nodes that there are") {
    const std::vector<int> nodes = memory_nodes();
    REQUIRE(!nodes.empty());
    for (const Placing placing : {Placing::kBind, Placing::kPreferred, Placing::kInterleave}) {
        for (const int node : nodes) {
            const PlacedMemory pages(1 << 20, {.placing = placing, .nodes = {node}});
            const auto found = nodes_of(all(pages));
            REQUIRE(found.size() == 1);
            CHECK(found[0].first == node);
            CHECK(found[0].second == pages.size() / page_bytes());
        }
    }
    const PlacedMemory pages(4 << 20, {.placing = Placing::kInterleave, .nodes = nodes});
    CHECK(nodes_of(all(pages)).size() == nodes.size());
}

TEST_CASE("pages move to a node, and lie there") {
    const PlacedMemory pages(1 << 20, {});
    for (const int node : memory_nodes()) {
        CHECK(move_to_node(all(pages), node) == pages.size() / page_bytes());
        CHECK(nodes_of(all(pages)) ==
              std::vector<std::pair<int, std::size_t>>{{node, pages.size() / page_bytes()}});
        // Of a part, the pages that hold it.
        CHECK(move_to_node(all(pages).subspan(4095, 2), node) == 2);
    }
    CHECK(nodes_of({}).empty());
    CHECK(move_to_node({}, memory_nodes()[0]) == 0);
}

TEST_CASE("nodes that are not there and wrong numbers of them are refused") {
    for (const int node : {99, -1}) {
        CHECK_THROWS_AS(PlacedMemory(4096, {.placing = Placing::kBind, .nodes = {node}}),
                        std::invalid_argument);
        CHECK_THROWS_AS(move_to_node({}, node), std::invalid_argument);
    }
    CHECK_THROWS_AS(PlacedMemory(4096, {.placing = Placing::kBind}), std::invalid_argument);
    CHECK_THROWS_AS(PlacedMemory(4096, {.placing = Placing::kInterleave}), std::invalid_argument);
    CHECK_THROWS_AS(PlacedMemory(4096, {.placing = Placing::kPreferred, .nodes = {0, 0}}),
                    std::invalid_argument);
    CHECK_THROWS_AS(PlacedMemory(4096, {.nodes = {0}}), std::invalid_argument);
    CHECK_THROWS_AS(PlacedMemory(0, {}), std::invalid_argument);
    CHECK_THROWS_AS(PlacedMemory((std::size_t{1} << 46) + 1, {}), std::invalid_argument);
    CHECK_THROWS_AS(PlacedMemory(std::size_t{1} << 46, {}), std::system_error);
}

TEST_CASE("memory is locked, or the limit is named") {
    {
        const PlacedMemory pages(4096, {.lock = true});
    }
#ifdef __SANITIZE_ADDRESS__
    return;  // it answers mlock by itself
#endif
    const pid_t child = fork();
    if (child == 0) {
        // Without privilege and limit.
        const rlimit none{0, 0};
        setrlimit(RLIMIT_MEMLOCK, &none);
        if (setuid(65534) != 0) _exit(3);
        try {
            const PlacedMemory pages(1 << 20, {.lock = true});
            _exit(1);
        } catch (const std::system_error& error) {
            const std::string what = error.what();
            _exit(what.find("ulimit -l") != std::string::npos &&
                          what.find(" 0 bytes") != std::string::npos
                      ? 0
                      : 2);
        }
    }
    int status = -1;
    waitpid(child, &status, 0);
    // 3: a user who is not root, and may not become anybody else.
    CHECK((status == 0 || WEXITSTATUS(status) == 3));
}
