#include "lockfree/shared/ring_state.hpp"

#include <bit>
#include <stdexcept>
#include <string>

namespace dwcp::lockfree::shared {

namespace {

[[noreturn]] void corrupt(const std::string& what) {
    throw CorruptRing("not a ring that can be joined: " + what);
}

}  // namespace

std::uint64_t pid_namespace() {
    struct stat status{};
    return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

std::size_t check_header(const os::SharedFile& file) {
    const std::size_t size = file.size();
    if (size < sizeof(RingHeader)) corrupt("the file has only " + std::to_string(size) + " bytes");
    const os::SharedMapping mapping(file.fd(), sizeof(RingHeader));
    const auto& header = *static_cast<const RingHeader*>(mapping.data());
    if (header.magic != kMagic) corrupt("the file has other contents");
    if (header.version != kVersion) {
        corrupt("its version is " + std::to_string(header.version) + ", and known is " +
                std::to_string(kVersion));
    }
    const std::size_t page = os::page_bytes();
    const std::uint64_t data = header.data_bytes;
    if (header.header_bytes < sizeof(RingHeader) || header.header_bytes % page != 0 ||
        header.header_bytes > size || !std::has_single_bit(data) || data % page != 0 ||
        data != size - header.header_bytes || header.capacity < 1 || header.limit > data ||
        header.capacity > data || header.limit != padded(header.capacity) + kHeaderBytes) {
        corrupt("its sizes are impossible");
    }
    if (header.pid_namespace != pid_namespace()) {
        corrupt("it belongs to another PID namespace, whose processes cannot be told from here");
    }
    return header.header_bytes;
}

RingState::RingState(os::SharedFile opened, std::size_t header_bytes)
    : file(std::move(opened)),
      mapping(file.fd(), header_bytes),
      header(*static_cast<RingHeader*>(mapping.data())),
      capacity(header.capacity),
      limit(header.limit),
      data(file.fd(), header_bytes, file.size() - header_bytes) {
    producers_lost_seen = header.members.lost(kProducer);
    consumers_lost_seen = header.members.lost(kConsumer);
    join(kUnknown);
}

RingState::~RingState() {
    leave();
}

void RingState::leave() noexcept {
    const std::size_t place = member.exchange(Members::kMax);
    if (header.members.is_own(place)) header.members.leave(place);
}

void RingState::join(Role role) {
    // The usual case, and the only one in a hurry; after a fork the place is the parent's.
    std::size_t place = member.load(std::memory_order_relaxed);
    const bool own = header.members.is_own(place);
    if (own && (role & ~roles.load(std::memory_order_relaxed)) == 0) return;
    if (!own) {
        place = header.members.enter();
        if (place == Members::kMax) {
            throw Error("the ring has no place for more than " + std::to_string(Members::kMax) +
                        " handles");
        }
        member = place;
        roles = 0;
    }
    roles |= role;
    header.members.add_role(place, role);
}

std::uint64_t RingState::used(std::uint64_t produced, std::uint64_t consumed) const {
    const std::uint64_t bytes = produced - consumed;
    if (bytes > limit || produced % 8 != 0 || consumed % 8 != 0) {
        throw CorruptRing(
            "the positions in the ring are impossible: another process has damaged it");
    }
    return bytes;
}

bool RingState::is_lost(Role other) noexcept {
    if (header.members.any_alive(member.load(), other)) return false;
    std::atomic<std::uint32_t>& seen =
        other == kProducer ? producers_lost_seen : consumers_lost_seen;
    const std::uint32_t lost = header.members.lost(other);
    return seen.exchange(lost) != lost;
}

}  // namespace dwcp::lockfree::shared
