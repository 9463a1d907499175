#include "base/pages.h"

#include <cstdint>
#include <new>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace edge_rerank {

#if defined(_WIN32)

void *reserve_pages(size_t size) {
    void *start = VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (!start) {
        throw std::bad_alloc();
    }
    return start;
}

void prefer_large_pages(void *, size_t) {}

void free_pages(void *start, size_t) { VirtualFree(start, 0, MEM_RELEASE); }

namespace {
size_t page_size() {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
}

void give_back(void *start, size_t size) {
    VirtualAlloc(start, size, MEM_RESET, PAGE_READWRITE); // fails for mapped ones, as it should
}
} // namespace

#else

void *reserve_pages(size_t size) {
    void *start = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
        throw std::bad_alloc();
    }
    return start;
}

void prefer_large_pages([[maybe_unused]] void *start, [[maybe_unused]] size_t size) {
#if defined(MADV_HUGEPAGE)
    madvise(start, size, MADV_HUGEPAGE);
#endif
}

void free_pages(void *start, size_t size) { munmap(start, size); }

namespace {
size_t page_size() { return size_t(sysconf(_SC_PAGESIZE)); }

void give_back(void *start, size_t size) { madvise(start, size, MADV_DONTNEED); }
} // namespace

#endif

void forget_pages(void *start, size_t size) {
    // Those at the ends are shared with neighbours.
    const uintptr_t page = page_size();
    const uintptr_t first = (uintptr_t(start) + page - 1) / page * page;
    const uintptr_t last = (uintptr_t(start) + size) / page * page;
    if (first < last) {
        give_back(reinterpret_cast<void *>(first), last - first);
    }
}

} // namespace edge_rerank
