// The forward pass of one piece: phases of blocks, which any thread may take.
//
// Phase 0 makes the embeddings and the first layer's queries, keys and values. Phase n attends in
// layer n - 1, finishes that layer and makes what layer n attends to: between phases, and only
// there, threads wait for one another, because a query looks at keys of its whole pair. The last
// phase goes on with the pairs' first tokens alone, where that is all that the head reads; or else
// one more finishes the last layer for all tokens, and the last takes their mean.
//
// Where a pair's texts are read apart, a phase for each layer across comes before the last one: in
// it, the rows of first texts look at the keys that the phase before made of second texts' rows,
// and those rows make the keys of the next such layer. Second texts' rows stay as they are.
#pragma once

#include <atomic>
#include <vector>

#include "edge_rerank.h"
#include "engine/buffers.h"
#include "engine/model.h"
#include "engine/plan.h"

namespace edge_rerank::engine {

class Forward {
  public:
    Forward(const Model &model, const kernels::Kernel &kernel, Buffers &buffers,
            const Piece &piece);

    // What one thread does; every thread calls it once. Gives its times.
    edge_rerank_times work(int thread);

    // Whether every value was finite; valid when all threads are done.
    bool sound() const { return sound_.load(); }

  private:
    struct Progress { std::atomic<int> next{0}, done{0}; };
    class Thread;

    const Model &model_;
    const kernels::Kernel &kernel_;
    Buffers &buffers_;
    const Piece &piece_;
    std::vector<Progress> phases_;
    std::atomic<bool> sound_{true};

    bool is_last(size_t phase) const { return phase + 1 == phases_.size(); }
    int count_blocks(size_t phase) const;
};

} // namespace edge_rerank::engine
