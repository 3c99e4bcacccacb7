#include "dwcp/lockfree/shared/members.hpp"

#include <chrono>

namespace dwcp::lockfree::shared {

namespace {

// In place of a dead member: the identity of who sees to what it left behind, with this bit.
constexpr os::ProcessIdentity kBurying = os::ProcessIdentity{1} << 63;

bool lives(os::ProcessIdentity process) noexcept {
    return os::is_alive(process & ~kBurying);
}

}  // namespace

bool SystemProcesses::is_time_to_look(std::atomic<std::int64_t>& looked) noexcept {
    constexpr std::int64_t kLookAgain = 1'000'000;
    const std::int64_t now =
        std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
    if (now - looked.load(std::memory_order_relaxed) < kLookAgain) return false;
    looked.store(now, std::memory_order_relaxed);
    return true;
}

std::size_t Members::enter(const Recover& recover) noexcept {
    const os::ProcessIdentity self = os::this_process();
    for (std::size_t place = 0; place < kMax; ++place) {
        Member& member = members_[place];
        os::ProcessIdentity process = member.process.load(std::memory_order_acquire);
        if (process != 0 && !lives(process)) {
            bury(place, process, recover);
            process = 0;
        }
        if (process == 0 &&
            member.process.compare_exchange_strong(process, self, std::memory_order_acq_rel)) {
            member.roles.store(kUnknown, std::memory_order_release);
            return place;
        }
    }
    return kMax;
}

void Members::leave(std::size_t place) noexcept {
    members_[place].process.store(0, std::memory_order_release);
}

void Members::add_role(std::size_t place, Role role) noexcept {
    members_[place].roles.fetch_or(role, std::memory_order_acq_rel);
}

void Members::bury(std::size_t place, os::ProcessIdentity dead, const Recover& recover) noexcept {
    Member& member = members_[place];
    const std::uint32_t roles = member.roles.load(std::memory_order_acquire);
    if (!member.process.compare_exchange_strong(dead, os::this_process() | kBurying,
                                                std::memory_order_acq_rel)) {
        return;
    }
    recover(place);
    if (roles == kUnknown || (roles & kProducer) != 0) {
        producers_lost_.fetch_add(1, std::memory_order_release);
    }
    if (roles == kUnknown || (roles & kConsumer) != 0) {
        consumers_lost_.fetch_add(1, std::memory_order_release);
    }
    member.process.store(0, std::memory_order_release);
}

bool Members::any_alive(std::size_t self, Role role, const Recover& recover) noexcept {
    bool found = false;
    for (std::size_t place = 0; place < kMax; ++place) {
        Member& member = members_[place];
        const os::ProcessIdentity process = member.process.load(std::memory_order_acquire);
        if (process == 0 || place == self) continue;
        if (!lives(process)) {
            bury(place, process, recover);
            continue;
        }
        if ((process & kBurying) != 0) continue;
        const std::uint32_t roles = member.roles.load(std::memory_order_acquire);
        found = found || roles == kUnknown || (roles & role) != 0;
    }
    return found;
}

bool Members::any_alive() const noexcept {
    for (const Member& member : members_) {
        const os::ProcessIdentity process = member.process.load(std::memory_order_acquire);
        if (process != 0 && (process & kBurying) == 0 && lives(process)) return true;
    }
    return false;
}

std::uint32_t Members::lost(Role role) const noexcept {
    return (role == kProducer ? producers_lost_ : consumers_lost_).load(std::memory_order_acquire);
}

}  // namespace dwcp::lockfree::shared
