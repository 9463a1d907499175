// Where the system may run a pool's threads.
#pragma once

#include <memory>
#include <thread>
#include <vector>

namespace edge_rerank {

// Keeps threads off the processor of the thread that calls them to work and works along.
//
// Linux may queue a thread that wakes up behind the one that woke it, with another processor idle:
// it does not look for one where the last few milliseconds were busy (SIS_UTIL), which with two to
// four processors is after every call. Balancing finds it some 10 ms later, which for a few
// passages is the whole call. On other systems this does nothing.
class Placement {
  public:
    Placement();
    ~Placement();

    // To be called before `threads` are woken, always with the same ones. What others set as their
    // affinity, before or later, is kept to, and so is the caller's; where these leave fewer other
    // processors than there are threads, they are not crammed together on those.
    void make_way(std::vector<std::thread> &threads);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace edge_rerank
