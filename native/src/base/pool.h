// A few threads that wait for work, and the caller as one more.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/placement.h"

namespace edge_rerank {

class Pool {
  public:
    // Starts threads - 1 threads, which take no signals of the host's. Raises Error when the system
    // refuses.
    explicit Pool(int threads);
    ~Pool();
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    int threads() const { return int(threads_.size()) + 1; }

    // Runs work(0) to work(threads - 1) at once, work(0) on the calling thread, and waits for all.
    // `work` must not throw. One call at a time.
    void run(const std::function<void(int)> &work);

  private:
    std::mutex mutex_;
    std::condition_variable start_, end_;
    const std::function<void(int)> *work_ = nullptr;
    unsigned long turn_ = 0;
    int running_ = 0;
    bool closing_ = false;
    std::vector<std::thread> threads_;
    Placement placement_;

    void loop(int number);
    void close();
};

} // namespace edge_rerank
