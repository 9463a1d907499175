#include "base/memory.h"

#include <algorithm>

#include "base/pages.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZES_ADDRESSES
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZES_ADDRESSES
#endif
#if defined(SANITIZES_ADDRESSES)
#include <sanitizer/asan_interface.h>
#endif

namespace edge_rerank {

namespace {
constexpr size_t kLine = 64;
constexpr size_t kChunk = size_t(8) << 20;

// The address sanitizer knows malloc, not this: it is told what lies between the pieces.
#if defined(SANITIZES_ADDRESSES)
constexpr size_t kGap = kLine;
void forbid(void *start, size_t size) { ASAN_POISON_MEMORY_REGION(start, size); }
void allow(void *start, size_t size) { ASAN_UNPOISON_MEMORY_REGION(start, size); }
#else
constexpr size_t kGap = 0;
void forbid(void *, size_t) {}
void allow(void *, size_t) {}
#endif
} // namespace

Memory::~Memory() {
    for (const Chunk &chunk : chunks_) {
        allow(chunk.start, chunk.size);
        free_pages(chunk.start, chunk.size);
    }
}

void *Memory::bytes(size_t size) {
    const size_t asked = size;
    size = (size + kLine - 1) / kLine * kLine + kGap;
    if (chunks_.empty() || chunks_.back().size - used_ < size) {
        const size_t wanted = std::max(size, kChunk);
        chunks_.reserve(chunks_.size() + 1);
        void *start = reserve_pages(wanted);
        chunks_.push_back({start, wanted});
        forbid(start, wanted);
        used_ = 0;
    }
    void *result = static_cast<char *>(chunks_.back().start) + used_;
    allow(result, asked);
    used_ += size;
    total_ += size;
    return result;
}

} // namespace edge_rerank
