#include "dwcp/lockfree/shared/mpmc_queue.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include "dwcp/os/machine.hpp"
#include "lockfree/shared/queue_state.hpp"

namespace dwcp::lockfree::shared {

namespace {

constexpr std::uint64_t kCapacityMax = std::uint64_t{1} << 32;
constexpr std::uint64_t kSlotBytesMax = std::uint64_t{1} << 40;
constexpr std::uint64_t kDataBytesMax = std::uint64_t{1} << 46;

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
      memory(file.fd(), sizes.data_bytes, sizes.header_bytes),
      slot_bytes(sizes.slot_bytes),
      slots(static_cast<QueueHeader*>(mapping.data())->slots,
            SlotAt{static_cast<std::byte*>(memory.data()), stride_of(slot_bytes)}, sizes.capacity) {
    join(kUnknown);
}

void QueueState::recover(std::size_t place) noexcept {
    slots.recover(owner_of_place(place));
    notify_all();
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
    if (const auto claim = queue.slots.claim_free(queue.owner())) {
        return std::optional<Writing>(std::in_place, Key(), queue, *claim->slot, claim->word,
                                      std::span(claim->slot->data(), size));
    }
    queue.look_for_dead(kConsumer);
    return std::nullopt;
}

MpmcQueue::Writing::~Writing() {
    if (queue_ == nullptr || !queue_->owns({slot_, claim_})) return;
    queue_->slots.pass_over({slot_, claim_});
    queue_->notify_all();
}

void MpmcQueue::Writing::commit(std::size_t size) {
    check_commit(size, room_.size());
    if (!queue_->owns({slot_, claim_})) throw_not_own();
    slot_->length = size;
    queue_->slots.publish({slot_, claim_});
    queue_->header.consumers_waiting.notify(Event::kAll);
    queue_ = nullptr;
}

std::optional<MpmcQueue::Reading> MpmcQueue::try_read() {
    QueueState& queue = this->queue();
    queue.join(kConsumer);
    const auto claim = queue.slots.claim_message(queue.owner());
    if (!claim) {
        queue.look_for_dead(kProducer);
        return std::nullopt;
    }
    Slot& slot = *claim->slot;
    const std::uint64_t length = slot.length;
    if (length > queue.slot_bytes) {
        const Reading back(Key(), queue, slot, claim->word, {});  // gives the message back
        throw_impossible_length();
    }
    return std::optional<Reading>(std::in_place, Key(), queue, slot, claim->word,
                                  std::span<const std::byte>(slot.data(), length));
}

MpmcQueue::Reading::~Reading() {
    if (queue_ == nullptr || !queue_->owns({slot_, claim_})) return;
    queue_->slots.put_back({slot_, claim_});
    queue_->notify_all();
}

void MpmcQueue::Reading::consume() {
    if (!queue_->owns({slot_, claim_})) throw_not_own();
    queue_->slots.consume({slot_, claim_});
    queue_->header.producers_waiting.notify(Event::kAll);
    queue_ = nullptr;
}

bool MpmcQueue::try_put(std::span<const std::byte> message) {
    return put_copy(*this, message);
}

std::uint64_t MpmcQueue::messages() const noexcept {
    return queue().slots.messages();
}
bool MpmcQueue::empty() const noexcept {
    return messages() == 0;
}
bool MpmcQueue::has_room(std::uint64_t size) const noexcept {
    return size <= queue().slot_bytes && queue().slots.has_room();
}
bool MpmcQueue::has_message() const noexcept {
    return queue().slots.has_message();
}
std::uint64_t MpmcQueue::capacity() const noexcept {
    return queue().slots.capacity();
}
std::uint64_t MpmcQueue::slot_bytes() const noexcept {
    return queue().slot_bytes;
}

}  // namespace dwcp::lockfree::shared
