// An open model: weights, buffers and threads.
#pragma once

#include <mutex>

#include "buffers.h"
#include "edge_rerank.h"
#include "forward.h"
#include "model.h"
#include "pool.h"

namespace edge_rerank {

struct Options {
    int threads;
    int max_length; // 0: the artifact's own
    int tokens_in_flight;
};

class Engine {
  public:
    Engine(const char *folder, const Options &options, const Kernel &kernel);

    // Raises Error; `logits` is left as it was then.
    void score(const Call &call, float *logits);

    void describe(edge_rerank_info &info);

  private:
    const Kernel &kernel_;
    Model model_;
    int capacity_;
    Buffers buffers_;
    Pool pool_;
    std::mutex mutex_; // one call at a time
    edge_rerank_times times_{};

    void check(const Call &call) const;
    void run(const Call &call, const Piece &piece, float *logits);
};

} // namespace edge_rerank
