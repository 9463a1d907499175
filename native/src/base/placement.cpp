#include "base/placement.h"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace edge_rerank {

#if defined(__linux__)

struct Placement::State {
    struct Thread { cpu_set_t allowed, given; };
    std::vector<Thread> threads;
    int away = -1;
};

void Placement::make_way(std::vector<std::thread> &threads) {
    if (threads.empty()) {
        return;
    }
    const int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || here == state_->away) {
        return;
    }
    cpu_set_t own;
    if (sched_getaffinity(0, sizeof own, &own) != 0) {
        return; // more processors than the set has room for
    }
    state_->away = here;
    state_->threads.resize(threads.size());
    for (size_t index = 0; index < threads.size(); ++index) {
        const pthread_t thread = threads[index].native_handle();
        State::Thread &known = state_->threads[index];
        cpu_set_t now;
        if (pthread_getaffinity_np(thread, sizeof now, &now) != 0) {
            continue;
        }
        if (!CPU_EQUAL(&now, &known.given)) {
            known.allowed = now;
        }
        cpu_set_t both, others;
        // The caller's own limits too: a whole process that is moved elsewhere stays there.
        CPU_AND(&both, &known.allowed, &own);
        others = both;
        CPU_CLR(here, &others);
        if (CPU_COUNT(&others) < int(threads.size())) { // they would wait for one another there
            if (!CPU_EQUAL(&both, &known.allowed)) {
                continue;
            }
            others = known.allowed;
        }
        if (CPU_EQUAL(&others, &now)) {
            continue;
        }
        // A refusal leaves the thread where it may run now.
        if (pthread_setaffinity_np(thread, sizeof others, &others) == 0) {
            known.given = others;
        }
    }
}

#else

struct Placement::State {};

void Placement::make_way(std::vector<std::thread> &) {}

#endif

Placement::Placement() : state_(new State{}) {}
Placement::~Placement() = default;

} // namespace edge_rerank
