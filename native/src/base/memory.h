// Memory that lives as long as its owner: aligned, zeroed, taken in large chunks.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace edge_rerank {

class Memory {
  public:
    Memory() = default;
    ~Memory();
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    // Room for `count` values, zeroed, aligned to 64 bytes. Raises std::bad_alloc. In builds with
    // the address sanitizer nothing beyond them may be touched.
    template <typename T> T *take(size_t count) {
        if (count > (size_t(1) << 62) / sizeof(T)) {
            throw std::bad_alloc();
        }
        return static_cast<T *>(bytes(count * sizeof(T)));
    }

    size_t total() const { return total_; }

  private:
    struct Chunk {
        void *start;
        size_t size;
    };
    std::vector<Chunk> chunks_;
    size_t used_ = 0; // of the last chunk
    size_t total_ = 0;

    void *bytes(size_t size);
};

} // namespace edge_rerank
