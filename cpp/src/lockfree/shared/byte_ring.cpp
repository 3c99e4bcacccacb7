#include "dwcp/lockfree/shared/byte_ring.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <stdexcept>

#include "dwcp/lockfree/waiting.hpp"
#include "lockfree/shared/ring_state.hpp"

namespace dwcp::lockfree::shared {

namespace {

constexpr std::uint64_t kCapacityMax = std::uint64_t{1} << 40;
constexpr std::chrono::milliseconds kLook{100};
const std::string kPrefix = "dwcp.";

std::string file_name(const std::string& name) {
    const bool good =
        !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '.' || c == '_' || c == '-';
        });
    if (!good) {
        throw std::invalid_argument(
            "name must be of 1 to 200 letters, digits and the signs . _ - but is '" + name + "'");
    }
    return kPrefix + name;
}

std::size_t whole_pages(std::size_t size) {
    const std::size_t page = os::page_bytes();
    return (size + page - 1) / page * page;
}

// Gives a lock back, unless it is that of the parent of a fork.
void release(RingSide& side) noexcept {
    if (!side.lock.is_own()) return;
    side.lock.release();
    std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with Event::prepare()
    side.waiting.notify_ordered();
}

// Makes known that a side has moved on by one message of `size` bytes, and gives its lock back.
void advance(RingSide& side, RingSide& other, std::size_t size) {
    if (!side.lock.is_own()) throw Error("the message belongs to the process that began with it");
    side.messages.store(side.messages.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
    // pairs with the loads by the other side
    side.position.store(side.position.load(std::memory_order_relaxed) + kHeaderBytes + padded(size),
                        std::memory_order_release);
    side.lock.release();
    std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with Event::prepare()
    side.waiting.notify_ordered();
    other.waiting.notify_ordered();
}

}  // namespace

ByteRing::ByteRing(std::unique_ptr<RingState> state) noexcept : state_(std::move(state)) {}
ByteRing::ByteRing(ByteRing&&) noexcept = default;
ByteRing::~ByteRing() = default;

ByteRing ByteRing::create(const std::optional<std::string>& name, std::uint64_t capacity) {
    if (capacity < 1 || capacity > kCapacityMax) {
        throw std::invalid_argument("capacity must be from 1 to 2^40 bytes, but is " +
                                    std::to_string(capacity));
    }
    const std::uint64_t limit = padded(capacity) + kHeaderBytes;
    const std::size_t header_bytes = whole_pages(sizeof(RingHeader));
    const std::size_t data_bytes = std::bit_ceil(std::max<std::size_t>(limit, os::page_bytes()));
    const auto fill = [&](int fd) {
        const os::SharedMapping mapping(fd, header_bytes);
        auto* const header = new (mapping.data()) RingHeader{};
        header->version = kVersion;
        header->header_bytes = static_cast<std::uint32_t>(header_bytes);
        header->data_bytes = data_bytes;
        header->capacity = capacity;
        header->limit = limit;
        header->pid_namespace = pid_namespace();
        header->magic = kMagic;
    };
    const std::size_t size = header_bytes + data_bytes;
    if (name) {
        os::SharedFile file = os::SharedFile::create(file_name(*name), size, fill);
        return ByteRing(std::make_unique<RingState>(std::move(file), header_bytes));
    }
    os::SharedFile file = os::SharedFile::anonymous(size);
    fill(file.fd());
    return ByteRing(std::make_unique<RingState>(std::move(file), header_bytes));
}

ByteRing ByteRing::attach(const std::string& name) {
    os::SharedFile file = os::SharedFile::open(file_name(name));
    const std::size_t header_bytes = check_header(file);
    return ByteRing(std::make_unique<RingState>(std::move(file), header_bytes));
}

ByteRing ByteRing::attach(int fd) {
    os::SharedFile file = os::SharedFile::duplicate(fd);
    const std::size_t header_bytes = check_header(file);
    return ByteRing(std::make_unique<RingState>(std::move(file), header_bytes));
}

std::optional<ByteRing::Writing> ByteRing::try_reserve(std::size_t size) {
    RingState& ring = *state_;
    if (size > ring.capacity) {
        throw std::invalid_argument("a message must have at most " + std::to_string(ring.capacity) +
                                    " bytes, the capacity, but has " + std::to_string(size));
    }
    if (is_shut_down()) return std::nullopt;
    ring.join(kProducer);
    RingSide& side = ring.header.producers;
    if (!side.lock.try_take(ring.looked)) return std::nullopt;
    Writing writing(ring, {});  // gives the lock back
    const std::uint64_t position = side.position.load(std::memory_order_relaxed);
    const std::uint64_t needed = kHeaderBytes + padded(size);
    // Other handles may have gone beyond what this one has seen.
    const std::uint64_t roughly = position - ring.consumed_seen;
    if (roughly > ring.limit || roughly + needed > ring.limit || position % 8 != 0) {
        // pairs with consume()
        ring.consumed_seen = ring.header.consumers.position.load(std::memory_order_acquire);
        if (ring.used(position, ring.consumed_seen) + needed > ring.limit) return std::nullopt;
    }
    writing.room_ = {ring.at(position) + kHeaderBytes, size};
    return writing;
}

ByteRing::Writing::~Writing() {
    if (ring_ != nullptr) release(ring_->header.producers);
}

void ByteRing::Writing::commit(std::size_t size) {
    if (size > room_.size()) {
        throw std::invalid_argument("commit: size must be at most " + std::to_string(room_.size()) +
                                    " bytes, but is " + std::to_string(size));
    }
    const std::uint64_t length = size;
    std::memcpy(room_.data() - kHeaderBytes, &length, sizeof length);
    advance(ring_->header.producers, ring_->header.consumers, size);
    ring_ = nullptr;
}

std::optional<ByteRing::Reading> ByteRing::try_read() {
    RingState& ring = *state_;
    ring.join(kConsumer);
    RingSide& side = ring.header.consumers;
    if (!side.lock.try_take(ring.looked)) return std::nullopt;
    Reading reading(ring, {});  // gives the lock back
    const std::uint64_t position = side.position.load(std::memory_order_relaxed);
    std::uint64_t there = ring.produced_seen - position;
    // Another handle may have gone beyond what this one has seen.
    if (there == 0 || there > ring.limit) {
        // pairs with commit()
        ring.produced_seen = ring.header.producers.position.load(std::memory_order_acquire);
        there = ring.used(ring.produced_seen, position);
        if (there == 0) return std::nullopt;
    }
    std::uint64_t length = 0;
    std::memcpy(&length, ring.at(position), sizeof length);
    if (length > ring.capacity || kHeaderBytes + padded(length) > there) {
        throw CorruptRing("the length of a message is impossible: another process has damaged it");
    }
    reading.data_ = {ring.at(position) + kHeaderBytes, static_cast<std::size_t>(length)};
    return reading;
}

ByteRing::Reading::~Reading() {
    if (ring_ != nullptr) release(ring_->header.consumers);
}

void ByteRing::Reading::consume() {
    advance(ring_->header.consumers, ring_->header.producers, data_.size());
    ring_ = nullptr;
}

bool ByteRing::try_put(std::span<const std::byte> message) {
    std::optional<Writing> writing = try_reserve(message.size());
    if (!writing) return false;
    if (!message.empty()) std::memcpy(writing->room().data(), message.data(), message.size());
    writing->commit(message.size());
    return true;
}

namespace {

// Asleep, and counted as such, until the end of its life.
struct Asleep {
    Event* event;
    ~Asleep() {
        if (event != nullptr) event->cancel();
    }
};

Outcome wait(RingState& ring, bool putting, const std::function<bool()>& attempt,
             const os::Deadline& deadline, const std::function<void()>& check) {
    Event& event = (putting ? ring.header.producers : ring.header.consumers).waiting;
    Spinner spinner;
    for (bool in_time = true;;) {
        const bool down = ring.header.shut_down.load(std::memory_order_acquire) != 0;
        if (attempt()) return Outcome::kDone;
        if (down) return Outcome::kShutDown;
        if (!in_time) return Outcome::kTimedOut;
        if (spinner.spin()) continue;
        if (ring.is_lost(putting ? kConsumer : kProducer)) {
            return attempt() ? Outcome::kDone : Outcome::kPeerLost;
        }
        const std::uint32_t key = event.prepare();
        Asleep asleep{&event};
        if (attempt()) return Outcome::kDone;
        if (ring.header.shut_down.load(std::memory_order_seq_cst) != 0) continue;
        const auto now = std::chrono::steady_clock::now();
        const auto next = now + kLook;
        const auto until = deadline ? std::min(*deadline, next) : next;
        os::futex_wait(event.epoch, key, until, os::Scope::kShared);
        asleep.event = nullptr;
        event.cancel();
        in_time = !deadline || std::chrono::steady_clock::now() < *deadline;
        check();
    }
}

}  // namespace

Outcome ByteRing::wait_for_room(const std::function<bool()>& attempt, const os::Deadline& deadline,
                                const std::function<void()>& check) {
    return wait(*state_, true, attempt, deadline, check);
}
Outcome ByteRing::wait_for_message(const std::function<bool()>& attempt,
                                   const os::Deadline& deadline,
                                   const std::function<void()>& check) {
    return wait(*state_, false, attempt, deadline, check);
}

void ByteRing::shutdown() noexcept {
    RingHeader& header = state_->header;
    header.shut_down.store(1, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with Event::prepare()
    header.producers.waiting.notify_ordered();
    header.consumers.waiting.notify_ordered();
}
void ByteRing::leave() noexcept {
    state_->leave();
}

bool ByteRing::is_shut_down() const noexcept {
    return state_->header.shut_down.load(std::memory_order_acquire) != 0;
}

std::uint64_t ByteRing::messages() const noexcept {
    const std::uint64_t got = state_->header.consumers.messages.load(std::memory_order_acquire);
    const std::uint64_t put = state_->header.producers.messages.load(std::memory_order_acquire);
    return put > got ? put - got : 0;
}
std::uint64_t ByteRing::used_bytes() const noexcept {
    const std::uint64_t got = state_->header.consumers.position.load(std::memory_order_acquire);
    const std::uint64_t put = state_->header.producers.position.load(std::memory_order_acquire);
    return std::min(put - got, state_->limit);
}
bool ByteRing::empty() const noexcept {
    return used_bytes() == 0;
}
bool ByteRing::has_room(std::uint64_t size) const noexcept {
    return size <= state_->capacity && used_bytes() + kHeaderBytes + padded(size) <= state_->limit;
}
std::uint64_t ByteRing::capacity() const noexcept {
    return state_->capacity;
}
int ByteRing::fd() const noexcept {
    return state_->file.fd();
}

std::vector<SegmentInfo> segments() {
    std::vector<SegmentInfo> found;
    for (const std::string& file : os::shared_file_names(kPrefix)) {
        try {
            const os::SharedFile opened = os::SharedFile::open(file);
            const os::SharedMapping mapping(opened.fd(), check_header(opened));
            auto& header = *static_cast<RingHeader*>(mapping.data());
            found.push_back(
                {file.substr(kPrefix.size()), header.capacity, header.members.any_alive()});
        } catch (const std::exception&) {
            continue;  // gone meanwhile, or no ring of this version
        }
    }
    return found;
}

std::vector<std::string> remove_stale() {
    std::vector<std::string> removed;
    for (const SegmentInfo& segment : segments()) {
        if (!segment.in_use && os::remove_unused_shared_file(kPrefix + segment.name)) {
            removed.push_back(segment.name);
        }
    }
    return removed;
}

bool unlink(const std::string& name) {
    return os::remove_shared_file(file_name(name));
}

}  // namespace dwcp::lockfree::shared
