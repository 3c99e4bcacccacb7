#include "kernels/dispatch.hpp"

#include <array>
#include <utility>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace dwcp::kernels {

#define DWCP_TIER_ROW(name, supported) extern const Table table_##name;
#include "dwcp_tiers.def"
#undef DWCP_TIER_ROW

namespace {

#if defined(__aarch64__)
[[maybe_unused]] bool has_hwcap(unsigned long bit) noexcept {
    return (getauxval(AT_HWCAP) & bit) != 0;
}
#endif

// A function, because the feature tests may only run once the program is loaded.
const std::array<TierInfo, kTierCount>& tiers() noexcept {
    static const std::array<TierInfo, kTierCount> kTiers = {{
#define DWCP_TIER_ROW(name, supported) TierInfo{#name, &table_##name, (supported) != 0},
#include "dwcp_tiers.def"
#undef DWCP_TIER_ROW
    }};
    return kTiers;
}

std::array<std::atomic<std::uint64_t>, kTierCount> calls{};

template <std::size_t kIndex, auto kMember, typename Function>
struct Counted;

template <std::size_t kIndex, auto kMember, typename Result, typename... Arguments>
struct Counted<kIndex, kMember, Result(Arguments...)> {
    static Result call(Arguments... arguments) {
        calls[kIndex].fetch_add(1, std::memory_order_relaxed);
        return (tiers()[kIndex].table->*kMember)(arguments...);
    }
};

template <std::size_t kIndex>
Table make_counted() {
    Table table{};
    table.compiled_for = tiers()[kIndex].table->compiled_for;
    table.bypasses_caches = tiers()[kIndex].table->bypasses_caches;
#define DWCP_KERNEL_COUNTED(name, result, parameters, arguments) \
    table.name = &Counted<kIndex, &Table::name, result parameters>::call;
    DWCP_KERNELS(DWCP_KERNEL_COUNTED)
#undef DWCP_KERNEL_COUNTED
    return table;
}

template <std::size_t... kIndexes>
const Table& counted_table(std::size_t index, std::index_sequence<kIndexes...>) {
    static const std::array<Table, kTierCount> kTables = {make_counted<kIndexes>()...};
    return kTables[index];
}

std::atomic<std::size_t> active_index{0};

std::size_t best_tier() noexcept {
    std::size_t best = 0;
    for (std::size_t i = 0; i < kTierCount; ++i) {
        if (tiers()[i].supported) best = i;
    }
    return best;
}

}  // namespace

std::atomic<const Table*> active_table{&table_scalar};

namespace {
// Before main or on loading the module; until it ran, other static constructors get scalar code.
[[maybe_unused]] const bool kChosen = (activate(best_tier(), false), true);
}  // namespace

const TierInfo& tier(std::size_t index) noexcept {
    return tiers()[index];
}

std::size_t active_tier() noexcept {
    return active_index.load(std::memory_order_relaxed);
}

void activate(std::size_t index, bool counted) noexcept {
    const Table* table = tiers()[index].table;
    if (counted) table = &counted_table(index, std::make_index_sequence<kTierCount>{});
    active_index.store(index, std::memory_order_relaxed);
    active_table.store(table, std::memory_order_relaxed);
}

std::uint64_t counted_calls(std::size_t index) noexcept {
    return calls[index].load(std::memory_order_relaxed);
}

}  // namespace dwcp::kernels
