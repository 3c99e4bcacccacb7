// Copies and fills with stores that bypass the caches, which would bring each line in only to write
// it out again.

#if defined(DWCP_VEC_STREAM)
constexpr bool kBypassesCaches = true;
#else
constexpr bool kBypassesCaches = false;
#endif

// Lines are written to four pages in turn, so that more banks of the memory are at work.
constexpr std::size_t kFourPages = 4 * kPageBytes;
// Neighbours in one page, which the memory has open by then.
constexpr std::size_t kTurnBytes = 2 * kLineBytes;

inline void stream_line(std::uint8_t* out, const std::uint8_t* line) {
    for (std::size_t i = 0; i < kLineBytes; i += sizeof(vec::Vec)) {
        vec::stream(out + i, vec::load(line + i));
    }
}

// Sends a line out of the caches of the core, where the processor can; others take it for nothing.
inline void demote([[maybe_unused]] const std::uint8_t* line) {
#if defined(__x86_64__)
    asm volatile("cldemote %0" : : "m"(*line));
#endif
}

inline void stream_group(std::uint8_t* out, const std::uint8_t* data, bool fetch_next) {
    for (std::size_t i = 0; i < kPageBytes; i += kTurnBytes) {
        for (std::size_t page = 0; page < kFourPages; page += kPageBytes) {
            const std::size_t at = page + i;
            if (fetch_next) {
                // Hardware prefetchers stop at the end of a page.
                __builtin_prefetch(data + kFourPages + at);
                __builtin_prefetch(data + kFourPages + at + kLineBytes);
            }
            stream_line(out + at, data + at);
            stream_line(out + at + kLineBytes, data + at + kLineBytes);
        }
    }
}

// Without a fence.
template <bool kDemote>
inline void copy_past_caches(std::uint8_t* out, const std::uint8_t* data, std::size_t size) {
    const std::size_t head = bytes_to_line(out);
    if (!kBypassesCaches || size < head + kLineBytes) {
        __builtin_memcpy(out, data, size);
        return;
    }
    __builtin_memcpy(out, data, head);
    std::size_t i = head;
    for (; i + kFourPages <= size; i += kFourPages) {
        stream_group(out + i, data + i, i + 2 * kFourPages <= size);
        if (!kDemote) continue;
        for (std::size_t at = 0; at < kFourPages; at += kLineBytes) demote(data + i + at);
    }
    for (; i + kLineBytes <= size; i += kLineBytes) {
        stream_line(out + i, data + i);
        if (kDemote) demote(data + i);
    }
    __builtin_memcpy(out + i, data + i, size - i);
}

void copy_streaming(std::uint8_t* out, const std::uint8_t* data, std::size_t size) {
    copy_past_caches<false>(out, data, size);
    vec::fence();
}

void copy_demoting(std::uint8_t* out, const std::uint8_t* data, std::size_t size) {
    copy_past_caches<true>(out, data, size);
    vec::fence();
}

inline void copy_line(std::uint8_t* out, const std::uint8_t* line) {
    for (std::size_t i = 0; i < kLineBytes; i += sizeof(vec::Vec)) {
        vec::store(out + i, vec::load(line + i));
    }
}

template <bool kStream>
inline void fill(std::uint8_t* out, const std::uint8_t* line, std::size_t size) {
    const std::size_t head = bytes_to_line(out);
    const std::size_t first = head < size ? head : size;
    __builtin_memcpy(out, line, first);
    // What the lines of `out` hold: the pattern from where its first one begins.
    std::uint8_t turned[kLineBytes];
    __builtin_memcpy(turned, line + head, kLineBytes - head);
    __builtin_memcpy(turned + kLineBytes - head, line, head);
    std::size_t i = first;
    for (; i + kLineBytes <= size; i += kLineBytes) {
        if (kStream) {
            stream_line(out + i, turned);
        } else {
            copy_line(out + i, turned);
        }
    }
    if (kStream) vec::fence();
    __builtin_memcpy(out + i, turned, size - i);
}

void fill_lines(std::uint8_t* out, const std::uint8_t* line, std::size_t size) {
    fill<false>(out, line, size);
}

void fill_streaming(std::uint8_t* out, const std::uint8_t* line, std::size_t size) {
    fill<true>(out, line, size);
}

// Rows are fetched so many ahead to the second level: the first one has too few buffers for what is
// on its way.
constexpr std::size_t kRowsAhead = 64;
// Of longer rows the processor fetches the rest by itself.
constexpr std::size_t kFetchedBytesMax = 256;

// What is gathered before it is written out line by line, wherever rows end; the first level has
// room for it.
constexpr std::size_t kStageBytes = kPageBytes;
// Longer rows are copied by themselves.
constexpr std::size_t kStagedBytesMax = 1024;

// A line at least: the last one may overlap the one before.
inline void copy_row(std::uint8_t* out, const std::uint8_t* row, std::size_t size) {
    for (std::size_t at = 0; at + kLineBytes < size; at += kLineBytes) {
        copy_line(out + at, row + at);
    }
    copy_line(out + size - kLineBytes, row + size - kLineBytes);
}

// Rows of a table by their numbers, in the order in which they are asked for.
template <typename Number>
class Rows {
  public:
    Rows(const std::uint8_t* table, std::size_t row_bytes, const Number* numbers, std::size_t count)
        : table_(table),
          row_bytes_(row_bytes),
          fetched_(row_bytes < kFetchedBytesMax ? row_bytes : kFetchedBytesMax),
          straddles_(bytes_to_line(table) != 0 || row_bytes % kLineBytes != 0),
          numbers_(numbers),
          count_(count) {}

    // The i-th one; asks for one that comes later.
    const std::uint8_t* get(std::size_t i) const {
        if (i + kRowsAhead < count_) {
            const std::uint8_t* const next = place(i + kRowsAhead);
            for (std::size_t at = 0; at < fetched_; at += kLineBytes) {
                __builtin_prefetch(next + at, 0, 2);
            }
            if (straddles_) __builtin_prefetch(next + fetched_ - 1, 0, 2);
        }
        return place(i);
    }

  private:
    const std::uint8_t* place(std::size_t i) const {
        return table_ + static_cast<std::size_t>(numbers_[i]) * row_bytes_;
    }

    const std::uint8_t* table_;
    std::size_t row_bytes_;
    std::size_t fetched_;
    bool straddles_;
    const Number* numbers_;
    std::size_t count_;
};

// By value: what is stored could change what a reference leads to.
template <typename Number>
[[gnu::always_inline]] inline void gather_staged(std::uint8_t* out, const Rows<Number> rows,
                                                 std::size_t row_bytes, std::size_t count) {
    alignas(64) std::uint8_t stage[kStageBytes + kLineBytes];
    // The first row begins the first whole line of `out`; from there on the lines of the stage are
    // those of `out`.
    const std::uint8_t* const first = rows.get(0);
    const std::size_t head = bytes_to_line(out);
    __builtin_memcpy(out, first, head);
    __builtin_memcpy(stage, first + head, row_bytes - head);
    out += head;
    std::size_t staged = row_bytes - head;
    const auto write_lines = [&] {
        std::size_t at = 0;
        for (; at + kLineBytes <= staged; at += kLineBytes) stream_line(out + at, stage + at);
        out += at;
        staged -= at;
        copy_line(stage, stage + at);
    };
    for (std::size_t i = 1; i < count; ++i) {
        if (staged + row_bytes > kStageBytes) write_lines();
        copy_row(stage + staged, rows.get(i), row_bytes);
        staged += row_bytes;
    }
    write_lines();
    __builtin_memcpy(out, stage, staged);
}

// Of a size that the compiler knows, or 0.
template <std::size_t kRowBytes, typename Number>
inline void gather_past_caches(std::uint8_t* out, const std::uint8_t* table, std::size_t any_bytes,
                               const Number* numbers, std::size_t size) {
    const std::size_t row_bytes = kRowBytes == 0 ? any_bytes : kRowBytes;
    const std::size_t count = size / row_bytes;
    const Rows<Number> rows(table, row_bytes, numbers, count);
    if (row_bytes > kStagedBytesMax) {
        for (std::size_t i = 0; i < count; ++i) {
            copy_past_caches<false>(out + i * row_bytes, rows.get(i), row_bytes);
        }
    } else if (count > 0) {
        gather_staged(out, rows, row_bytes, count);
    }
    vec::fence();
}

template <typename Number>
inline void gather_any(std::uint8_t* out, const std::uint8_t* table, std::size_t row_bytes,
                       const Number* rows, std::size_t size) {
    if (row_bytes == kLineBytes) {
        gather_past_caches<kLineBytes>(out, table, row_bytes, rows, size);
    } else {
        gather_past_caches<0>(out, table, row_bytes, rows, size);
    }
}

void gather_streaming(std::uint8_t* out, const std::uint8_t* table, std::size_t row_bytes,
                      const std::int64_t* rows, std::size_t size) {
    gather_any(out, table, row_bytes, rows, size);
}

void gather_streaming_narrow(std::uint8_t* out, const std::uint8_t* table, std::size_t row_bytes,
                             const std::int32_t* rows, std::size_t size) {
    gather_any(out, table, row_bytes, rows, size);
}
