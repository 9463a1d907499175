// An open model: weights, buffers and threads.
#pragma once

#include <mutex>

#include "base/pool.h"
#include "edge_rerank.h"
#include "engine/buffers.h"
#include "engine/forward.h"
#include "engine/model.h"
#include "engine/turns.h"

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

    // Raises Error; `logits` is left as it was then. Several threads may call at once.
    void score(Call call, const Limits &limits, float *logits);

    void describe(edge_rerank_info &info);

  private:
    const kernels::Kernel &kernel_;
    Model model_;
    int capacity_;
    Buffers buffers_;
    Pool pool_;
    Turns turns_; // for buffers and pool
    std::mutex times_mutex_;
    edge_rerank_times times_{};

    void check(const Call &call) const;
    void run(const Shares &shares);
};

} // namespace edge_rerank::engine
