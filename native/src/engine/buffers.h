// The working memory of an engine, allocated once.
#pragma once

#include <vector>

#include "base/memory.h"
#include "engine/architecture.h"
#include "kernels/kernel.h"

namespace edge_rerank::engine {

// What all threads share. Keys and values are double: while some threads still read those of one
// layer, others write those of the next.
struct SharedBuffers {
    float *hidden;           // [rows, hidden]
    float *crossing;         // the same, of first texts' rows in layers across; of some models
    uint8_t *query_bytes;    // [rows, hidden]
    float *query_scales;     // [rows, heads]
    float *queries;          // [rows, hidden], fp32 models
    int8_t *key_quads[2];    // for each sequence and head: [head size / 4, padded keys, 4]
    float *key_scales[2];    // for each sequence and head: [padded keys]
    int32_t *key_starts[2];  // the same
    float *key_columns[2];   // for each sequence and head: [head size, padded keys], fp32 models
    float *values[2];        // for each sequence and head: [padded keys, head size padded to 16]
    int8_t *value_levels[2]; // the same as whole numbers, as the kernel lays them out; int8 models
    float *value_scales[2];  // for each sequence and head: [padded keys]
};

// What each thread has for itself: a block of rows on its way through a layer.
struct ThreadBuffers {
    float *wide;          // [block, the most that a product gives]
    float *context;       // [block, hidden, or what a step of the head gives]
    float *middle;        // [block, hidden]
    float *mixed;         // [hidden]: a row whose columns are mixed; int8 models
    float *first;         // [block, hidden]
    kernels::RowsI8 rows; // [block, max(hidden, intermediate), padded]
    uint8_t *query_bytes; // of rows that attend elsewhere: [block, hidden], scales [block, heads]
    float *query_scales;
    float *scores;        // [kScoreTile, score_stride() of the longest pair]
    float *value_factors; // [padded longest pair]; int8 models
};

class Buffers {
  public:
    // `capacity` is in padded keys. Raises std::bad_alloc.
    Buffers(const Architecture &shape, const kernels::Kernel &kernel, int capacity, int threads);

    SharedBuffers shared{};
    std::vector<ThreadBuffers> threads;
    size_t bytes() const { return memory_.total(); }

  private:
    Memory memory_;
};

} // namespace edge_rerank::engine
