// Many buffers at once, all or none.
#pragma once

#include <cstddef>
#include <span>

namespace dwcp::memory {

template <typename Get, typename Put>
void get_all(std::span<void*> buffers, Get&& get, Put&& put) {
    std::size_t count = 0;
    try {
        for (; count < buffers.size(); ++count) buffers[count] = get();
    } catch (...) {
        for (void* buffer : buffers.first(count)) put(buffer);
        throw;
    }
}

// `retire` marks a buffer as not in use, or throws where it is not; `restore` marks it again.
template <typename Retire, typename Restore, typename Put>
void put_all(std::span<void* const> buffers, Retire&& retire, Restore&& restore, Put&& put) {
    // All are retired before the first is put, so that one that is there twice is noticed.
    std::size_t count = 0;
    const auto restore_all = [&] {
        for (void* buffer : buffers.first(count)) restore(buffer);
    };
    try {
        for (; count < buffers.size(); ++count) retire(buffers[count]);
    } catch (...) {
        restore_all();
        throw;
    }
    restore_all();
    for (void* buffer : buffers) put(buffer);
}

}  // namespace dwcp::memory
