// The table of words, of which each row is made when it is needed.
#pragma once

#include <cstdint>

#include "engine/weights.h"
#include "kernels/kernel.h"

namespace edge_rerank::engine {

constexpr int kWordGroup = 32; // features that share a scale, in tables of 4 bits
constexpr int kWordLevels = 16;
constexpr int kFrequent = 16; // one in so many words has 8 bits in such a table

class WordTable {
  public:
    WordTable() = default;
    // Of 32, 8 or 4 bits; used as it lies in the file. Raises Error.
    WordTable(const Weights &weights, int words, int width, int bits);

    // The row of a word, as wide as the table; the same bits with every kernel.
    void row(const kernels::Kernel &kernel, int32_t word, float *output) const;

  private:
    ptrdiff_t width_ = 0;
    const float *floats_ = nullptr;
    const int8_t *bytes_ = nullptr; // of all words, or of the frequent ones
    int32_t byte_words_ = 0;        // which are the first of them
    const float *scales_ = nullptr;
    // 4 bits: a byte holds the codes of two features, the first one in its lower half.
    const uint8_t *codes_ = nullptr;
    const int8_t *groups_ = nullptr; // scales of groups, in units of the row's
    int8_t levels_[256][2] = {};     // of the two codes of every byte

    void row_of_codes(const kernels::Kernel &kernel, int32_t word, float *output) const;
};

} // namespace edge_rerank::engine
