#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <stdexcept>
#include <string>

#include "dwcp/lockfree/waiting.hpp"
#include "dwcp/os/machine.hpp"
#include "lockfree/shared/segment_state.hpp"

namespace dwcp::lockfree::shared {

namespace {

using std::chrono::steady_clock;

// How often to look whether others live: it takes some 20 microseconds for each of them. Who has
// waited longer looks less often.
constexpr std::chrono::milliseconds kLookFirst{10};
constexpr std::chrono::milliseconds kLookLast{100};
// Who slept only this long, its way back from the kernel included, would have done better to try
// on: whoever woke it was held up as well. So the next time it tries for that long first, and not
// at all after a longer sleep.
constexpr std::chrono::microseconds kBrief{100};
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

Outcome wait(SegmentState& state, bool putting, const std::function<bool()>& attempt,
             const os::Deadline& deadline, const std::function<void()>& check) {
    SegmentHeader& header = state.header;
    Event& event = putting ? header.producers_waiting : header.consumers_waiting;
    const Role other = putting ? kConsumer : kProducer;
    const std::uint32_t lost_before = state.lost_seen(other);
    std::chrono::milliseconds pause = kLookFirst;
    steady_clock::time_point look_at = state.looked(other) + pause;
    std::atomic<bool>& brief = state.side_of(other).brief;
    Spinner spinner(brief.load(std::memory_order_relaxed) ? kBrief : kBrief.zero());
    for (bool in_time = true;;) {
        const bool down = header.shut_down.load(std::memory_order_acquire) != 0;
        if (attempt()) return Outcome::kDone;
        if (down) return Outcome::kShutDown;
        if (!in_time) return Outcome::kTimedOut;
        if (spinner.spin()) continue;
        if (const auto now = steady_clock::now(); now >= look_at) {
            look_at = now + pause;
            pause = std::min(2 * pause, kLookLast);
            if (const auto lost = state.look_for_loss(other, lost_before)) {
                if (attempt()) return Outcome::kDone;  // it is told when there is nothing left
                state.tell(other, *lost);
                return Outcome::kPeerLost;
            }
        }
        {
            Event::Waiter waiter(event);
            if (attempt()) return Outcome::kDone;
            if (header.shut_down.load(std::memory_order_seq_cst) != 0) continue;
            const auto asleep = steady_clock::now();
            waiter.wait(deadline ? std::min(*deadline, look_at) : look_at);
            const auto awake = steady_clock::now();
            brief.store(awake - asleep < kBrief, std::memory_order_relaxed);
            in_time = !deadline || awake < *deadline;
        }
        check();
    }
}

// The name of a kind, and nothing for one that is not known.
std::optional<std::string> kind_name(std::uint32_t kind) {
    if (kind == kByteRing) return "ByteRing";
    if (kind == kMpmcQueue) return "MpmcQueue";
    return std::nullopt;
}

}  // namespace

void throw_corrupt(const std::string& what) {
    throw CorruptSegment("not a structure that can be joined: " + what);
}

void check_commit(std::size_t size, std::size_t reserved) {
    if (size > reserved) {
        throw std::invalid_argument("commit: size must be at most " + std::to_string(reserved) +
                                    " bytes, but is " + std::to_string(size));
    }
}

void throw_not_own() {
    throw Error("the message belongs to the process that began with it");
}

void throw_impossible_length() {
    throw CorruptSegment("the length of a message is impossible: another process has damaged it");
}

std::uint64_t pid_namespace() {
    struct stat status{};
    return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

os::SharedFile create_segment(const std::optional<std::string>& name, const NewSegment& segment,
                              const std::function<void(void* header)>& construct) {
    const std::size_t page = os::page_bytes();
    const std::size_t header_bytes = (segment.header_bytes + page - 1) / page * page;
    const auto fill = [&](int fd) {
        const os::SharedMapping mapping(fd, header_bytes);
        construct(mapping.data());
        auto& header = *static_cast<SegmentHeader*>(mapping.data());
        header.version = kVersion;
        header.kind = segment.kind;
        header.header_bytes = header_bytes;
        header.data_bytes = segment.data_bytes;
        header.capacity = segment.capacity;
        header.slot_bytes = segment.slot_bytes;
        header.pid_namespace = pid_namespace();
        header.magic = kMagic;
    };
    const std::size_t size = header_bytes + segment.data_bytes;
    if (name) return os::SharedFile::create(file_name(*name), size, fill);
    os::SharedFile file = os::SharedFile::anonymous(size);
    fill(file.fd());
    return file;
}

os::SharedFile open_segment(const std::string& name) {
    return os::SharedFile::open(file_name(name));
}

SegmentSizes check_segment(const os::SharedFile& file, std::optional<Kind> wanted) {
    const std::size_t size = file.size();
    if (size < sizeof(SegmentHeader)) {
        throw_corrupt("the file has only " + std::to_string(size) + " bytes");
    }
    const os::SharedMapping mapping(file.fd(), sizeof(SegmentHeader));
    const auto& header = *static_cast<const SegmentHeader*>(mapping.data());
    if (header.magic != kMagic) throw_corrupt("the file has other contents");
    if (header.version != kVersion) {
        throw_corrupt("its version is " + std::to_string(header.version) + ", and known is " +
                      std::to_string(kVersion));
    }
    const std::uint32_t kind = header.kind;
    if (!kind_name(kind)) throw_corrupt("its kind is unknown");
    if (wanted && kind != *wanted) {
        throw_corrupt("it is a " + *kind_name(kind) + ", not a " + *kind_name(*wanted));
    }
    const SegmentSizes sizes{static_cast<Kind>(kind), header.header_bytes, header.data_bytes,
                             header.capacity, header.slot_bytes};
    const std::size_t page = os::page_bytes();
    if (sizes.header_bytes < sizeof(SegmentHeader) || sizes.header_bytes % page != 0 ||
        sizes.header_bytes > size || sizes.data_bytes != size - sizes.header_bytes ||
        sizes.capacity < 1) {
        throw_corrupt("its sizes are impossible");
    }
    if (header.pid_namespace != pid_namespace()) {
        throw_corrupt(
            "it belongs to another PID namespace, whose processes cannot be told from here");
    }
    return sizes;
}

SegmentState::SegmentState(os::SharedFile opened, std::size_t header_bytes)
    : file(std::move(opened)),
      mapping(file.fd(), header_bytes),
      header(*static_cast<SegmentHeader*>(mapping.data())) {
    producers.lost_seen = header.members.lost(kProducer);
    consumers.lost_seen = header.members.lost(kConsumer);
}

SegmentState::~SegmentState() {
    leave();
}

void SegmentState::leave() noexcept {
    std::size_t place = member.load();
    if (!header.members.is_own(place) || is_named(place)) return;
    if (member.compare_exchange_strong(place, Members::kMax)) header.members.leave(place);
}

void SegmentState::join(Role role) {
    // The usual case, and the only one in a hurry; after a fork the place is the parent's.
    std::size_t place = member.load(std::memory_order_relaxed);
    const bool own = header.members.is_own(place);
    if (own && (role & ~roles.load(std::memory_order_relaxed)) == 0) return;
    if (!own) {
        place = header.members.enter([this](std::size_t dead) { recover(dead); });
        if (place == Members::kMax) {
            throw Error("there is no place for more than " + std::to_string(Members::kMax) +
                        " handles");
        }
        member = place;
        roles = 0;
    }
    roles |= role;
    header.members.add_role(place, role);
}

steady_clock::time_point SegmentState::looked(Role other) const noexcept {
    const std::chrono::nanoseconds at(side_of(other).looked.load(std::memory_order_relaxed));
    return steady_clock::time_point(at);
}

std::uint32_t SegmentState::lost_seen(Role other) const noexcept {
    return side_of(other).lost_seen.load(std::memory_order_relaxed);
}

std::optional<std::uint32_t> SegmentState::look_for_loss(Role other,
                                                         std::uint32_t lost_before) noexcept {
    const bool alive =
        header.members.any_alive(member.load(), other, [this](std::size_t dead) { recover(dead); });
    side_of(other).looked.store(
        std::chrono::nanoseconds(steady_clock::now().time_since_epoch()).count(),
        std::memory_order_relaxed);
    const std::uint32_t lost = header.members.lost(other);
    return alive || lost == lost_before ? std::nullopt : std::optional(lost);
}

void SegmentState::tell(Role other, std::uint32_t lost) noexcept {
    side_of(other).lost_seen.store(lost, std::memory_order_relaxed);
}

void SegmentState::look_for_dead(Role other) noexcept {
    if (steady_clock::now() < looked(other) + kLookLast) return;
    static_cast<void>(look_for_loss(other, lost_seen(other)));
}

Segment::Segment(std::unique_ptr<SegmentState> state) noexcept : state_(std::move(state)) {}
Segment::Segment(Segment&&) noexcept = default;
Segment::~Segment() = default;

Outcome Segment::wait_for_room(const std::function<bool()>& attempt, const os::Deadline& deadline,
                               const std::function<void()>& check) {
    return wait(*state_, true, attempt, deadline, check);
}
Outcome Segment::wait_for_message(const std::function<bool()>& attempt,
                                  const os::Deadline& deadline,
                                  const std::function<void()>& check) {
    return wait(*state_, false, attempt, deadline, check);
}

void Segment::shutdown() noexcept {
    state_->header.shut_down.store(1, std::memory_order_seq_cst);
    state_->notify_all();
}
bool Segment::is_shut_down() const noexcept {
    return state_->header.shut_down.load(std::memory_order_acquire) != 0;
}
void Segment::leave() noexcept {
    state_->leave();
}
int Segment::fd() const noexcept {
    return state_->file.fd();
}

std::vector<SegmentInfo> segments() {
    std::vector<SegmentInfo> found;
    for (const std::string& file : os::shared_file_names(kPrefix)) {
        try {
            const os::SharedFile opened = os::SharedFile::open(file);
            const SegmentSizes sizes = check_segment(opened, std::nullopt);
            const os::SharedMapping mapping(opened.fd(), sizeof(SegmentHeader));
            const auto& header = *static_cast<const SegmentHeader*>(mapping.data());
            found.push_back({file.substr(kPrefix.size()), *kind_name(sizes.kind), sizes.capacity,
                             header.members.any_alive()});
        } catch (const std::exception&) {
            continue;  // gone meanwhile, or nothing of this version
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
