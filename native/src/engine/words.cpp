#include "engine/words.h"

#include <algorithm>
#include <cstring>

namespace edge_rerank::engine {

WordTable::WordTable(const Weights &weights, int words, int width, int bits) : width_(width) {
    const std::string name = "embeddings.word.";
    if (bits == 32) {
        floats_ = weights.table(name + "weight", {words, width});
        return;
    }
    if (bits == 8) {
        bytes_ = weights.bytes(name + "weight", {words, width});
        byte_words_ = words;
    } else {
        byte_words_ = std::max(1, words / kFrequent);
        const int64_t others = words - byte_words_;
        bytes_ = weights.bytes(name + "frequent", {byte_words_, width});
        codes_ = weights.packed(name + "weight", {others, width / 2});
        groups_ = weights.bytes(name + "group", {others, width / kWordGroup});
        const int8_t *levels = weights.bytes(name + "levels", {kWordLevels});
        for (int byte = 0; byte < 256; ++byte) {
            levels_[byte][0] = levels[byte % kWordLevels];
            levels_[byte][1] = levels[byte / kWordLevels];
        }
    }
    scales_ = weights.floats(name + "scale", {words, 1});
}

void WordTable::row(const kernels::Kernel &kernel, int32_t word, float *output) const {
    if (floats_) {
        std::memcpy(output, floats_ + word * width_, size_t(width_) * sizeof(float));
    } else if (word < byte_words_) {
        kernel.widen(bytes_ + word * width_, scales_[word], int(width_), output);
    } else {
        row_of_codes(kernel, word, output);
    }
}

void WordTable::row_of_codes(const kernels::Kernel &kernel, int32_t word, float *output) const {
    const ptrdiff_t row = word - byte_words_;
    const uint8_t *codes = codes_ + row * (width_ / 2);
    const int8_t *groups = groups_ + row * (width_ / kWordGroup);
    for (ptrdiff_t first = 0; first < width_; first += kWordGroup) {
        int8_t values[kWordGroup];
        for (int i = 0; i < kWordGroup; i += 2) {
            std::memcpy(values + i, levels_[*codes++], 2);
        }
        kernel.widen(values, float(*groups++) * scales_[word], kWordGroup, output + first);
    }
}

} // namespace edge_rerank::engine
