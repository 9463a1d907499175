#include "engine/words.h"

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
    } else {
        codes_ = weights.packed(name + "weight", {words, width / 2});
        groups_ = weights.bytes(name + "group", {words, width / kWordGroup});
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
    } else if (bytes_) {
        kernel.widen(bytes_ + word * width_, scales_[word], int(width_), output);
    } else {
        row_of_codes(kernel, word, output);
    }
}

void WordTable::row_of_codes(const kernels::Kernel &kernel, int32_t word, float *output) const {
    const uint8_t *codes = codes_ + word * (width_ / 2);
    const int8_t *groups = groups_ + word * (width_ / kWordGroup);
    for (ptrdiff_t first = 0; first < width_; first += kWordGroup) {
        int8_t values[kWordGroup];
        for (int i = 0; i < kWordGroup; i += 2) {
            std::memcpy(values + i, levels_[*codes++], 2);
        }
        kernel.widen(values, float(*groups++) * scales_[word], kWordGroup, output + first);
    }
}

} // namespace edge_rerank::engine
