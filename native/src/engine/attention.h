// Attention, between the rows that products make and the kernel, which computes one head: where
// queries, keys and values are stored, and where the kernel finds them.
#pragma once

#include "engine/buffers.h"
#include "engine/model.h"
#include "engine/plan.h"

namespace edge_rerank::engine {

// One thread's. Its functions give false where a value was infinite or not a number.
class Attention {
  public:
    Attention(const Model &model, const kernels::Kernel &kernel, const SharedBuffers &shared,
              const ThreadBuffers &own);

    // Turns queries or keys of some consecutive tokens of a sequence by their positions, in models
    // that have such.
    void turn(size_t layer, int position, int count, float *rows, ptrdiff_t stride) const;

    // Stores the query of one row.
    bool store_query(const float *query, int row) const;

    // Stores some consecutive keys of a sequence; each row holds a key and then its value.
    bool store_keys(size_t layer, const Sequence &sequence, int position, int count,
                    const float *rows, ptrdiff_t stride) const;

    // The contexts of some consecutive tokens of a sequence, whose queries are stored.
    bool attend(size_t layer, const Sequence &sequence, int first, int rows, float *output) const;

    // Those of rows whose queries are not: of its first token, or of another sequence's tokens.
    bool attend_with(size_t layer, const Sequence &sequence, const float *queries, int rows,
                     float *output) const;

  private:
    // Of consecutive rows; of an int8 model the bytes and scales, of an fp32 one the values.
    struct Queries {
        uint8_t *bytes;
        float *scales;
        float *values;
    };

    const Model &model_;
    const Architecture &shape_;
    const kernels::Kernel &kernel_;
    const SharedBuffers &shared_;
    const ThreadBuffers &own_;
    const float factor_;   // of the scores
    const int value_size_; // of one head, padded

    // One head of a sequence in a layer, and its first key, counted in keys.
    struct Place {
        size_t layer;
        int head;
        ptrdiff_t key;
    };

    Place place(size_t layer, const Sequence &sequence, int head) const;
    int8_t *levels(size_t side, ptrdiff_t key) const;
    Queries stored(int row) const;
    bool store(const float *query, const Queries &to) const;
    bool attend_heads(size_t layer, const Sequence &sequence, int first, int rows,
                      const Queries &queries, float *output) const;
    template <typename Task>
    Task begin(const Place &place, const Sequence &sequence, int first, int rows,
               float *output) const;
    bool finish(kernels::AttendI8 task, const Place &place, const Queries &queries) const;
    bool finish(kernels::AttendF32 task, const Place &place, const Queries &queries) const;
};

} // namespace edge_rerank::engine
