// An open model: weights, buffers and threads.
#pragma once

#include <mutex>

#include "base/pool.h"
#include "edge_rerank.h"
#include "engine/buffers.h"
#include "engine/forward.h"
#include "engine/model.h"

namespace edge_rerank::engine {

struct Options {
    int threads;
    int max_length; // 0: the artifact's own
    int tokens_in_flight;
    Access access; // to the weights
};

class Engine {
  public:
    Engine(const char *folder, const Options &options, const kernels::Kernel &kernel);

    // Raises Error; `logits` is left as it was then.
    void score(const Call &call, float *logits);

    void describe(edge_rerank_info &info);

  private:
    const kernels::Kernel &kernel_;
    Model model_;
    int capacity_;
    Buffers buffers_;
    Pool pool_;
    std::mutex mutex_; // one call at a time
    edge_rerank_times times_{};

    void check(const Call &call) const;
    void run(const Call &call, const Piece &piece, float *logits);
};

} // namespace edge_rerank::engine
