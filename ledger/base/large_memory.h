// Large blocks of zeroed memory, in huge pages where the system has them.
//
// A table of many megabytes that is read at random costs a walk through the page tables with every
// access if it lies in pages of 4 KiB. Thread rule: values that own; move only.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace florin {

class LargeMemory {
public:
    LargeMemory() = default;
    // Throws std::bad_alloc where there is no memory.
    explicit LargeMemory(std::size_t bytes);
    LargeMemory(LargeMemory&& other) noexcept
        : start_{std::exchange(other.start_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)} {}
    LargeMemory& operator=(LargeMemory&& other) noexcept {
        std::swap(start_, other.start_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~LargeMemory();

    // As many T as fit; T is fine with being all zero.
    template <class T>
    std::span<T> as() const {
        return {static_cast<T*>(start_), bytes_ / sizeof(T)};
    }
    std::size_t bytes() const { return bytes_; }

private:
    void* start_ = nullptr;
    std::size_t bytes_ = 0;
};

// Tells the allocator to keep what is freed for the next time, within bounds: a program that makes
// and frees megabytes a thousand times a second would else fault in every page each time. Once, at
// the start of a program.
void keep_freed_memory();

}  // namespace florin
