#include "ledger/base/large_memory.h"

#include <cstdint>
#include <cstring>
#include <malloc.h>
#include <new>
#include <sys/mman.h>

namespace florin {
namespace {

constexpr std::size_t kHugePage = 2U << 20U;
constexpr std::align_val_t kAlignment{64};  // a cache line

}  // namespace

LargeMemory::LargeMemory(std::size_t bytes) : bytes_{bytes} {
    if (bytes < kHugePage) {
        start_ = ::operator new(bytes, kAlignment);
        std::memset(start_, 0, bytes);
        return;
    }
    // One huge page more, so that a start on its boundary is inside; what is around goes back.
    bytes_ = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    std::size_t const taken = bytes_ + kHugePage;
    void* const raw =
        ::mmap(nullptr, taken, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) {
        throw std::bad_alloc{};
    }
    auto* const first = static_cast<char*>(raw);
    std::size_t const before =
        (kHugePage - reinterpret_cast<std::uintptr_t>(first) % kHugePage) % kHugePage;
    if (before > 0) {
        ::munmap(first, before);
    }
    if (before < kHugePage) {
        ::munmap(first + before + bytes_, kHugePage - before);
    }
    start_ = first + before;
    ::madvise(start_, bytes_, MADV_HUGEPAGE);  // where it cannot, small pages do
}

LargeMemory::~LargeMemory() {
    if (start_ == nullptr) {
        return;
    }
    if (bytes_ < kHugePage) {
        ::operator delete(start_, kAlignment);
    } else {
        ::munmap(start_, bytes_);
    }
}

void keep_freed_memory() {
    constexpr int kMapFrom = 32 << 20;    // larger blocks come from the system and go back to it
    constexpr int kTrimFrom = 512 << 20;  // kept free at the end of the heap
    ::mallopt(M_MMAP_THRESHOLD, kMapFrom);
    ::mallopt(M_TRIM_THRESHOLD, kTrimFrom);
}

}  // namespace florin
