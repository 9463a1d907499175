// A call as the C interface takes it, and what may end it before it is done.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace edge_rerank::engine {

struct Call {
    const int32_t *ids;
    const int64_t *offsets;
    const int32_t *first_segments;
    size_t count;
};

using Clock = std::chrono::steady_clock;

// Both are looked at between pieces.
struct Limits {
    const int32_t *cancelled = nullptr; // or where another thread writes that it is, 1
    Clock::time_point deadline = Clock::time_point::max();

    bool timed() const { return deadline != Clock::time_point::max(); }

    // Raises Error where one of them has ended the call.
    void check() const;
};

} // namespace edge_rerank::engine
