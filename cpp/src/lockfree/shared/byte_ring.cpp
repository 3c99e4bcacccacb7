#include "dwcp/lockfree/shared/byte_ring.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <stdexcept>

#include "dwcp/os/machine.hpp"
#include "lockfree/shared/ring_state.hpp"

namespace dwcp::lockfree::shared {

namespace {

constexpr std::uint64_t kCapacityMax = std::uint64_t{1} << 40;

// The two sides, seen from one of them.
struct Sides {
    RingSide& own;
    Event& own_waiting;
    Event& other_waiting;
};
Sides producing(RingState& state) noexcept {
    return {state.ring.producers, state.header.producers_waiting, state.header.consumers_waiting};
}
Sides consuming(RingState& state) noexcept {
    return {state.ring.consumers, state.header.consumers_waiting, state.header.producers_waiting};
}

// Gives a lock back, unless it is that of the parent of a fork.
void release(const Sides& sides) noexcept {
    if (sides.own.lock.is_own() && sides.own.lock.release())
        sides.own_waiting.notify_ordered(Event::kAll);
}

// Gives a lock back that nobody has taken over.
struct Untaken {
    Sides sides;
    bool is_over = false;
    ~Untaken() {
        if (!is_over) release(sides);
    }
};

// Makes known that a side has moved on by one message of `size` bytes, and gives its lock back.
void advance(const Sides& sides, std::size_t size) {
    RingSide& side = sides.own;
    if (!side.lock.is_own()) throw_not_own();
    side.messages.store(side.messages.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
    // pairs with the loads by the other side
    side.position.store(side.position.load(std::memory_order_relaxed) + kHeaderBytes + padded(size),
                        std::memory_order_release);
    release(sides);  // ends with a fence
    sides.other_waiting.notify_ordered(Event::kAll);
}

std::unique_ptr<RingState> open(os::SharedFile file) {
    const SegmentSizes sizes = check_segment(file, kByteRing);
    if (sizes.header_bytes < sizeof(RingHeader) || sizes.slot_bytes != 0 ||
        sizes.data_bytes % os::page_bytes() != 0 || sizes.capacity > sizes.data_bytes ||
        padded(sizes.capacity) + kHeaderBytes > sizes.data_bytes) {
        throw_corrupt("its sizes are impossible");
    }
    return std::make_unique<RingState>(std::move(file), sizes);
}

}  // namespace

RingState::RingState(os::SharedFile opened, const SegmentSizes& sizes)
    : SegmentState(std::move(opened), sizes.header_bytes),
      ring(*static_cast<RingHeader*>(mapping.data())),
      capacity(sizes.capacity),
      limit(padded(sizes.capacity) + kHeaderBytes),
      data(file.fd(), sizes.header_bytes, sizes.data_bytes),
      mask(std::has_single_bit(sizes.data_bytes) ? sizes.data_bytes - 1 : 0) {
    join(kUnknown);
}

std::uint64_t RingState::used(std::uint64_t produced, std::uint64_t consumed) const {
    const std::uint64_t bytes = produced - consumed;
    if (bytes > limit || produced % 8 != 0 || consumed % 8 != 0) {
        throw CorruptSegment(
            "the positions in the ring are impossible: another process has damaged it");
    }
    return bytes;
}

ByteRing::ByteRing(std::unique_ptr<RingState> state) noexcept : Segment(std::move(state)) {}
ByteRing::ByteRing(ByteRing&&) noexcept = default;
ByteRing::~ByteRing() = default;

RingState& ByteRing::ring() const noexcept {
    return static_cast<RingState&>(*state_);
}

ByteRing ByteRing::create(const std::optional<std::string>& name, std::uint64_t capacity) {
    if (capacity < 1 || capacity > kCapacityMax) {
        throw std::invalid_argument("capacity must be from 1 to 2^40 bytes, but is " +
                                    std::to_string(capacity));
    }
    const std::size_t page = os::page_bytes();
    const std::size_t data_bytes = (padded(capacity) + kHeaderBytes + page - 1) / page * page;
    return ByteRing(
        open(create_segment(name, {kByteRing, sizeof(RingHeader), data_bytes, capacity, 0},
                            [](void* header) { new (header) RingHeader{}; })));
}

ByteRing ByteRing::attach(const std::string& name) {
    return ByteRing(open(open_segment(name)));
}

ByteRing ByteRing::attach(int fd) {
    return ByteRing(open(os::SharedFile::duplicate(fd)));
}

std::optional<ByteRing::Writing> ByteRing::try_reserve(std::size_t size) {
    RingState& ring = this->ring();
    if (size > ring.capacity) {
        throw std::invalid_argument("a message must have at most " + std::to_string(ring.capacity) +
                                    " bytes, the capacity, but has " + std::to_string(size));
    }
    if (is_shut_down()) return std::nullopt;
    ring.join(kProducer);
    RingSide& side = ring.ring.producers;
    if (!side.lock.try_take(ring.owner_looked)) return std::nullopt;
    Untaken untaken{producing(ring)};
    const std::uint64_t position = side.position.load(std::memory_order_relaxed);
    const std::uint64_t needed = kHeaderBytes + padded(size);
    // Other handles may have gone beyond what this one has seen.
    const std::uint64_t roughly = position - ring.consumed_seen.load(std::memory_order_relaxed);
    if (roughly > ring.limit || roughly + needed > ring.limit || position % 8 != 0) {
        // pairs with consume()
        const std::uint64_t consumed = ring.ring.consumers.position.load(std::memory_order_acquire);
        ring.consumed_seen.store(consumed, std::memory_order_relaxed);
        if (ring.used(position, consumed) + needed > ring.limit) return std::nullopt;
    }
    untaken.is_over = true;
    return std::optional<Writing>(std::in_place, Key(), ring,
                                  std::span(ring.at(position) + kHeaderBytes, size));
}

ByteRing::Writing::~Writing() {
    if (ring_ != nullptr) release(producing(*ring_));
}

void ByteRing::Writing::commit(std::size_t size) {
    check_commit(size, room_.size());
    const std::uint64_t length = size;
    std::memcpy(room_.data() - kHeaderBytes, &length, sizeof length);
    advance(producing(*ring_), size);
    ring_ = nullptr;
}

std::optional<ByteRing::Reading> ByteRing::try_read() {
    RingState& ring = this->ring();
    ring.join(kConsumer);
    RingSide& side = ring.ring.consumers;
    // Who waits in a loop need not take the lock each time.
    if (side.position.load(std::memory_order_relaxed) ==
            ring.produced_seen.load(std::memory_order_relaxed) &&
        empty()) {
        return std::nullopt;
    }
    if (!side.lock.try_take(ring.owner_looked)) return std::nullopt;
    Untaken untaken{consuming(ring)};
    const std::uint64_t position = side.position.load(std::memory_order_relaxed);
    std::uint64_t there = ring.produced_seen.load(std::memory_order_relaxed) - position;
    // Another handle may have gone beyond what this one has seen.
    if (there == 0 || there > ring.limit) {
        // pairs with commit()
        const std::uint64_t produced = ring.ring.producers.position.load(std::memory_order_acquire);
        ring.produced_seen.store(produced, std::memory_order_relaxed);
        there = ring.used(produced, position);
        if (there == 0) return std::nullopt;
    }
    std::uint64_t length = 0;
    std::memcpy(&length, ring.at(position), sizeof length);
    if (length > ring.capacity || kHeaderBytes + padded(length) > there) {
        throw_impossible_length();
    }
    untaken.is_over = true;
    return std::optional<Reading>(
        std::in_place, Key(), ring,
        std::span<const std::byte>(ring.at(position) + kHeaderBytes, length));
}

ByteRing::Reading::~Reading() {
    if (ring_ != nullptr) release(consuming(*ring_));
}

void ByteRing::Reading::consume() {
    advance(consuming(*ring_), data_.size());
    ring_ = nullptr;
}

bool ByteRing::try_put(std::span<const std::byte> message) {
    return put_copy(*this, message);
}

std::uint64_t ByteRing::messages() const noexcept {
    const std::uint64_t got = ring().ring.consumers.messages.load(std::memory_order_acquire);
    const std::uint64_t put = ring().ring.producers.messages.load(std::memory_order_acquire);
    return put > got ? put - got : 0;
}
std::uint64_t ByteRing::used_bytes() const noexcept {
    const std::uint64_t got = ring().ring.consumers.position.load(std::memory_order_acquire);
    const std::uint64_t put = ring().ring.producers.position.load(std::memory_order_acquire);
    return std::min(put - got, ring().limit);
}
bool ByteRing::empty() const noexcept {
    return used_bytes() == 0;
}
bool ByteRing::has_room(std::uint64_t size) const noexcept {
    return size <= ring().capacity && used_bytes() + kHeaderBytes + padded(size) <= ring().limit &&
           !ring().ring.producers.lock.is_taken();
}
bool ByteRing::has_message() const noexcept {
    return !empty() && !ring().ring.consumers.lock.is_taken();
}
std::uint64_t ByteRing::capacity() const noexcept {
    return ring().capacity;
}

}  // namespace dwcp::lockfree::shared
