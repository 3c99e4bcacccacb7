#include "dwcp/isa/isa.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "kernels/dispatch.hpp"

namespace dwcp::isa {

namespace {

std::atomic<bool> counting{false};

std::size_t find(std::string_view name) {
    for (std::size_t i = 0; i < kernels::kTierCount; ++i) {
        if (name == kernels::tier(i).name) return i;
    }
    return kernels::kTierCount;
}

std::string choices() {
    std::string text;
    for (const std::string& name : available()) text += (text.empty() ? "" : ", ") + name;
    return text;
}

std::size_t find_built(std::string_view name) {
    const std::size_t index = find(name);
    if (index == kernels::kTierCount) {
        throw std::invalid_argument("unknown instruction set '" + std::string(name) +
                                    "'; available here: " + choices());
    }
    return index;
}

}  // namespace

std::vector<std::string> built() {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < kernels::kTierCount; ++i) names.emplace_back(kernels::tier(i).name);
    return names;
}

std::vector<std::string> available() {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < kernels::kTierCount; ++i) {
        if (kernels::tier(i).supported) names.emplace_back(kernels::tier(i).name);
    }
    return names;
}

std::string active() {
    return kernels::tier(kernels::active_tier()).name;
}

std::string compiled_for() {
    return kernels::active().compiled_for;
}

void force(std::string_view name) {
    const std::size_t index = find_built(name);
    if (!kernels::tier(index).supported) {
        throw std::invalid_argument("this processor does not support the instruction set '" +
                                    std::string(name) + "'; available here: " + choices());
    }
    kernels::activate(index, counting.load(std::memory_order_relaxed));
}

void apply_environment() {
    const char* name = std::getenv("DWCP_ISA");
    if (name == nullptr || *name == '\0') return;
    try {
        force(name);
    } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(std::string("DWCP_ISA: ") + error.what());
    }
}

void count_calls(bool on) {
    counting.store(on, std::memory_order_relaxed);
    kernels::activate(kernels::active_tier(), on);
}

std::uint64_t counted_calls(std::string_view name) {
    return kernels::counted_calls(find_built(name));
}

}  // namespace dwcp::isa
