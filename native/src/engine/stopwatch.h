// Adds up where a thread's time goes.
#pragma once

#include <chrono>

namespace edge_rerank::engine {

class Stopwatch {
  public:
    Stopwatch() : last_(Clock::now()) {}

    // Adds the time since the last call.
    void lap(double &seconds) {
        const Clock::time_point now = Clock::now();
        seconds += std::chrono::duration<double>(now - last_).count();
        last_ = now;
    }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point last_;
};

} // namespace edge_rerank::engine
