// Data that are worked through in chunks, while those to come are fetched.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>
#include <utility>

namespace dwcp::cache {

struct StreamOptions {
    // Of how many chunks ahead the processor is asked for the beginning; 0: none. 4 KiB of each,
    // 256 bytes where they touch, and 128 KiB of all: more would drive out what came before it is
    // used.
    std::size_t distance = 1;
    // Bytes from the begin of one chunk to that of the next; 0: the chunk, so that they touch.
    std::size_t stride = 0;
    // Whether the data are a mapping of a file. Where chunks lie close together, the kernel is told
    // that it is read from begin to end, as long as the stream is there; afterwards that nothing is
    // known. Those that lie 64 KiB and more apart it is asked for some ahead.
    bool mapped = false;
};

// The chunks of data, in bytes. The data must stay where they are. All but the destructor may be
// called from any thread.
class Stream {
  public:
    // The last chunk may be shorter. Throws std::invalid_argument for a chunk of 0 bytes and a
    // distance beyond kDistanceMax.
    Stream(std::span<const std::byte> data, std::size_t chunk, const StreamOptions& options = {});
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream();

    static constexpr std::size_t kDistanceMax = 1024;

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    // The place of the index-th chunk in the data, and its length; index < size().
    [[nodiscard]] std::size_t offset(std::size_t index) const noexcept { return index * stride_; }
    [[nodiscard]] std::span<const std::byte> chunk(std::size_t index) const noexcept;

    // To be called when the index-th chunk is about to be used: asks for what comes after it.
    void fetch_ahead(std::size_t index) noexcept;

    // Whether fetch_ahead() of that chunk would ask the kernel, which may take a while.
    [[nodiscard]] bool will_advise(std::size_t index) const noexcept;
    // For how much the kernel was told what comes, in bytes, and with which errno it refused; 0
    // when it did not. Once it refused it is not asked again.
    [[nodiscard]] std::size_t advised_bytes() const noexcept;
    [[nodiscard]] int refusal() const noexcept;

  private:
    void fetch(std::size_t index) const noexcept;
    void advise(std::size_t index) noexcept;

    std::span<const std::byte> data_;
    std::size_t chunk_;
    std::size_t stride_;
    std::size_t count_;
    std::size_t distance_;
    std::size_t fetched_bytes_;  // of each chunk
    bool mapped_;
    bool close_;                           // all of it is advised at once
    std::atomic<std::size_t> advised_{0};  // chunks
    std::atomic<std::size_t> advised_bytes_{0};
    std::atomic<int> refusal_{0};
};

// Calls use(chunk) for each chunk of the data in their order, a std::span<const std::byte>, and
// asks for those to come before. Throws as Stream() does, and what `use` throws.
template <typename Use>
void for_each_chunk(std::span<const std::byte> data, std::size_t chunk, Use&& use,
                    const StreamOptions& options = {}) {
    Stream stream(data, chunk, options);
    for (std::size_t i = 0; i < stream.size(); ++i) {
        stream.fetch_ahead(i);
        use(stream.chunk(i));
    }
}

}  // namespace dwcp::cache
