#include "dwcp/lockfree/shared/mpmc_queue.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <stdexcept>

#include "lockfree/shared/queue_state.hpp"

namespace dwcp::lockfree::shared {

namespace {

constexpr std::uint64_t kCapacityMax = std::uint64_t{1} << 32;
constexpr std::uint64_t kSlotBytesMax = std::uint64_t{1} << 40;
constexpr std::uint64_t kDataBytesMax = std::uint64_t{1} << 46;
// Beside the capacity, how often a call tries before it gives up.
constexpr std::uint64_t kTriesMore = 1000;
// Of QueueState::seen_.
constexpr unsigned kPositionBits = 40;
constexpr std::uint64_t kPositionMask = (std::uint64_t{1} << kPositionBits) - 1;
constexpr std::uint64_t kOwnerBits = 8;
static_assert(Members::kMax < (1U << kOwnerBits));

// Of a slot: how often it was freed and filled, and the member that is at it.
std::uint64_t word(std::uint64_t stage, std::uint64_t owner) noexcept {
    return stage << kOwnerBits | owner;
}
std::uint64_t owner_of(std::uint64_t state) noexcept {
    return state & ((1U << kOwnerBits) - 1);
}
// Negative when the slot has not yet come to `stage`.
std::int64_t stages_ahead(std::uint64_t state, std::uint64_t stage) noexcept {
    // The difference of the words, so that the count of stages may overflow.
    return static_cast<std::int64_t>((state & ~std::uint64_t{0xff}) - word(stage, 0)) >> kOwnerBits;
}

std::uint64_t stride_of(std::uint64_t slot_bytes) noexcept {
    constexpr std::uint64_t kLine = 64;
    return (sizeof(Slot) + slot_bytes + kLine - 1) / kLine * kLine;
}

std::unique_ptr<QueueState> open(os::SharedFile file) {
    const SegmentSizes sizes = check_segment(file, kMpmcQueue);
    if (sizes.header_bytes < sizeof(QueueHeader) || sizes.capacity > kCapacityMax ||
        sizes.slot_bytes < 1 || sizes.slot_bytes > kSlotBytesMax ||
        sizes.data_bytes / stride_of(sizes.slot_bytes) < sizes.capacity) {
        throw_corrupt("its sizes are impossible");
    }
    return std::make_unique<QueueState>(std::move(file), sizes);
}

}  // namespace

QueueState::QueueState(os::SharedFile opened, const SegmentSizes& sizes)
    : SegmentState(std::move(opened), sizes.header_bytes),
      queue(*static_cast<QueueHeader*>(mapping.data())),
      slots(file.fd(), sizes.data_bytes, sizes.header_bytes),
      capacity(sizes.capacity),
      slot_bytes(sizes.slot_bytes),
      stride(stride_of(sizes.slot_bytes)),
      shift(std::has_single_bit(capacity) ? std::countr_zero(capacity) : -1) {
    join(kUnknown);
}

Slot& QueueState::slot(std::uint64_t index) const noexcept {
    return *reinterpret_cast<Slot*>(static_cast<std::byte*>(slots.data()) + index * stride);
}

QueueState::Place QueueState::place_of(std::uint64_t position) const noexcept {
    const std::uint64_t round = shift >= 0 ? position >> shift : position / capacity;
    return {slot(position - round * capacity), 2 * round};
}

void QueueState::recover(std::size_t place) noexcept {
    const std::uint64_t owner = place + 1;
    for (std::uint64_t i = 0; i < capacity; ++i) {
        std::atomic<std::uint64_t>& state = slot(i).state;
        std::uint64_t seen = state.load(std::memory_order_acquire);
        if (owner_of(seen) != owner) continue;
        const std::uint64_t stage = seen >> kOwnerBits;
        // An even stage is that of a free slot: what was to be written is passed over. Otherwise
        // the message is there again.
        const bool writing = stage % 2 == 0;
        if (state.compare_exchange_strong(seen, word(writing ? stage + 2 : stage, 0),
                                          std::memory_order_acq_rel) &&
            writing) {
            queue.passed_over.fetch_add(1, std::memory_order_relaxed);
        }
    }
    queue.returned.fetch_add(1, std::memory_order_release);
    notify_all();
}

bool QueueState::is_named(std::size_t place) const noexcept {
    for (std::uint64_t i = 0; i < capacity; ++i) {
        if (owner_of(slot(i).state.load(std::memory_order_acquire)) == place + 1) return true;
    }
    return false;
}

bool QueueState::owns(const Claim& claim) const noexcept {
    return header.members.is_own(owner_of(claim.word) - 1) &&
           claim.slot.state.load(std::memory_order_relaxed) == claim.word;
}

void QueueState::give_back(const Claim& claim, std::uint64_t stages) noexcept {
    // Nobody else changes the word while its owner lives.
    claim.slot.state.store(word((claim.word >> kOwnerBits) + stages, 0), std::memory_order_release);
}

std::uint64_t QueueState::first_unseen(std::uint64_t head, std::uint64_t returns) const noexcept {
    const std::uint64_t seen = seen_.load(std::memory_order_relaxed);
    if (seen >> kPositionBits != (returns << kPositionBits) >> kPositionBits) return head;
    const std::uint64_t further = (seen - head) & kPositionMask;
    return further <= capacity ? head + further : head;
}

std::optional<QueueState::Claim> QueueState::find_message(bool claiming) noexcept {
    const std::uint64_t self = member.load(std::memory_order_relaxed) + 1;
    const std::uint64_t returns = queue.returned.load(std::memory_order_acquire);
    std::uint64_t head = queue.head.load(std::memory_order_acquire);
    for (std::uint64_t i = 0; i < capacity; ++i) {
        const Place at = place_of(head);
        if (stages_ahead(at.slot.state.load(std::memory_order_acquire), at.stage + 1) <= 0) break;
        if (queue.head.compare_exchange_strong(head, head + 1, std::memory_order_acq_rel)) ++head;
    }
    std::uint64_t position = first_unseen(head, returns);
    std::optional<Claim> found;
    for (const std::uint64_t end = position + capacity; position != end && !found; ++position) {
        const Place at = place_of(position);
        std::uint64_t state = at.slot.state.load(std::memory_order_acquire);
        // What another one claims meanwhile is his.
        while (stages_ahead(state, at.stage + 1) == 0 && owner_of(state) == 0) {
            if (!claiming) return Claim{at.slot, state};
            const std::uint64_t claimed = word(at.stage + 1, self);
            if (at.slot.state.compare_exchange_weak(state, claimed, std::memory_order_acq_rel)) {
                found.emplace(at.slot, claimed);
                break;
            }
        }
        // The end, or a message that is being written.
        if (stages_ahead(state, at.stage + 1) < 0) break;
    }
    seen_.store(returns << kPositionBits | (position & kPositionMask), std::memory_order_relaxed);
    return found;
}

MpmcQueue::MpmcQueue(std::unique_ptr<QueueState> state) noexcept : Segment(std::move(state)) {}
MpmcQueue::MpmcQueue(MpmcQueue&&) noexcept = default;
MpmcQueue::~MpmcQueue() = default;

QueueState& MpmcQueue::queue() const noexcept {
    return static_cast<QueueState&>(*state_);
}

MpmcQueue MpmcQueue::create(const std::optional<std::string>& name, std::uint64_t capacity,
                            std::uint64_t slot_bytes) {
    if (capacity < 1 || capacity > kCapacityMax) {
        throw std::invalid_argument("capacity must be from 1 to 2^32 messages, but is " +
                                    std::to_string(capacity));
    }
    if (slot_bytes < 1 || slot_bytes > kSlotBytesMax) {
        throw std::invalid_argument("slot_bytes must be from 1 to 2^40, but is " +
                                    std::to_string(slot_bytes));
    }
    if (stride_of(slot_bytes) > kDataBytesMax / capacity) {
        throw std::invalid_argument(
            "capacity times slot_bytes must be at most 2^46 bytes, but is " +
            std::to_string(capacity) + " times " + std::to_string(slot_bytes));
    }
    // Slots begin as zeros: free, and of the first round.
    const std::size_t page = os::page_bytes();
    const std::size_t data_bytes = (capacity * stride_of(slot_bytes) + page - 1) / page * page;
    return MpmcQueue(open(
        create_segment(name, {kMpmcQueue, sizeof(QueueHeader), data_bytes, capacity, slot_bytes},
                       [](void* header) { new (header) QueueHeader{}; })));
}

MpmcQueue MpmcQueue::attach(const std::string& name) {
    return MpmcQueue(open(open_segment(name)));
}

MpmcQueue MpmcQueue::attach(int fd) {
    return MpmcQueue(open(os::SharedFile::duplicate(fd)));
}

std::optional<MpmcQueue::Writing> MpmcQueue::try_reserve(std::size_t size) {
    QueueState& queue = this->queue();
    if (size > queue.slot_bytes) {
        throw std::invalid_argument("a message must have at most " +
                                    std::to_string(queue.slot_bytes) +
                                    " bytes, slot_bytes, but has " + std::to_string(size));
    }
    if (is_shut_down()) return std::nullopt;
    queue.join(kProducer);
    const std::uint64_t self = queue.member.load(std::memory_order_relaxed) + 1;
    std::atomic<std::uint64_t>& tail = queue.queue.tail;
    // Nobody goes round more often than this, unless the memory is damaged.
    for (std::uint64_t tries = 0; tries < queue.capacity + kTriesMore; ++tries) {
        std::uint64_t position = tail.load(std::memory_order_acquire);
        const QueueState::Place at = queue.place_of(position);
        std::uint64_t state = at.slot.state.load(std::memory_order_acquire);
        const std::int64_t ahead = stages_ahead(state, at.stage);
        if (ahead < 0) break;  // still to be read, or being read
        if (ahead == 0 && owner_of(state) == 0) {
            const std::uint64_t claimed = word(at.stage, self);
            if (!at.slot.state.compare_exchange_strong(state, claimed, std::memory_order_acq_rel)) {
                continue;
            }
            // Whoever sees that the slot is taken does so too: it does not matter who dies here.
            tail.compare_exchange_strong(position, position + 1, std::memory_order_acq_rel);
            return std::optional<Writing>(std::in_place, Key(), queue, at.slot, claimed,
                                          std::span(at.slot.data(), size));
        }
        tail.compare_exchange_strong(position, position + 1, std::memory_order_acq_rel);
    }
    queue.look_for_dead(kConsumer);
    return std::nullopt;
}

MpmcQueue::Writing::~Writing() {
    if (queue_ == nullptr || !queue_->owns({*slot_, claim_})) return;
    queue_->queue.passed_over.fetch_add(1, std::memory_order_relaxed);
    queue_->give_back({*slot_, claim_}, 2);
    queue_->notify_all();
}

void MpmcQueue::Writing::commit(std::size_t size) {
    check_commit(size, room_.size());
    if (!queue_->owns({*slot_, claim_})) throw_not_own();
    slot_->length = size;
    queue_->give_back({*slot_, claim_}, 1);
    queue_->header.consumers_waiting.notify();
    queue_ = nullptr;
}

std::optional<MpmcQueue::Reading> MpmcQueue::try_read() {
    QueueState& queue = this->queue();
    queue.join(kConsumer);
    const std::optional<QueueState::Claim> claim = queue.find_message(true);
    if (!claim) {
        queue.look_for_dead(kProducer);
        return std::nullopt;
    }
    Slot& slot = claim->slot;
    const std::uint64_t length = slot.length;
    if (length > queue.slot_bytes) {
        const Reading back(Key(), queue, slot, claim->word, {});  // gives the message back
        throw_impossible_length();
    }
    return std::optional<Reading>(std::in_place, Key(), queue, slot, claim->word,
                                  std::span<const std::byte>(slot.data(), length));
}

MpmcQueue::Reading::~Reading() {
    if (queue_ == nullptr || !queue_->owns({*slot_, claim_})) return;
    queue_->give_back({*slot_, claim_}, 0);
    // After it: who sees the new count also sees the message.
    queue_->queue.returned.fetch_add(1, std::memory_order_release);
    queue_->notify_all();
}

void MpmcQueue::Reading::consume() {
    if (!queue_->owns({*slot_, claim_})) throw_not_own();
    queue_->queue.consumed.fetch_add(1, std::memory_order_relaxed);
    queue_->give_back({*slot_, claim_}, 1);
    queue_->header.producers_waiting.notify();
    queue_ = nullptr;
}

bool MpmcQueue::try_put(std::span<const std::byte> message) {
    return put_copy(*this, message);
}

std::uint64_t MpmcQueue::messages() const noexcept {
    const QueueHeader& header = queue().queue;
    const std::uint64_t gone = header.consumed.load(std::memory_order_acquire) +
                               header.passed_over.load(std::memory_order_acquire);
    const std::uint64_t claimed = header.tail.load(std::memory_order_acquire);
    return claimed > gone ? std::min(claimed - gone, queue().capacity) : 0;
}
bool MpmcQueue::empty() const noexcept {
    return messages() == 0;
}
bool MpmcQueue::has_room(std::uint64_t size) const noexcept {
    const QueueState& queue = this->queue();
    const QueueState::Place at = queue.place_of(queue.queue.tail.load(std::memory_order_acquire));
    return size <= queue.slot_bytes &&
           stages_ahead(at.slot.state.load(std::memory_order_acquire), at.stage) >= 0;
}
bool MpmcQueue::has_message() const noexcept {
    return queue().find_message(false).has_value();
}
std::uint64_t MpmcQueue::capacity() const noexcept {
    return queue().capacity;
}
std::uint64_t MpmcQueue::slot_bytes() const noexcept {
    return queue().slot_bytes;
}

}  // namespace dwcp::lockfree::shared
