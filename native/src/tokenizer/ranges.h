// Tables of ranges of characters, and the search in them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace edge_rerank::tokenizer {

struct CharRange { uint32_t first, last; };

// The range that a character lies in, or null; the ranges are in order.
template <typename Range, size_t count>
const Range *find_range(const Range (&ranges)[count], uint32_t code) {
    const auto after =
        std::upper_bound(std::begin(ranges), std::end(ranges), code,
                         [](uint32_t wanted, const Range &range) { return wanted < range.first; });
    return after == std::begin(ranges) || code > after[-1].last ? nullptr : after - 1;
}

} // namespace edge_rerank::tokenizer
