// Calls of several threads share an engine: they take turns in order of arrival, a piece each.
//
// A call waits for one piece of each call that came before it, however many pairs those have. Small
// calls that wait at the same time make up one piece, since rows are fastest in full blocks and
// no score depends on its company.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>

#include "engine/call.h"

namespace edge_rerank::engine {

// A call, and how far it has come.
struct Turn {
    Turn(const Call &its_call, const Limits &its_limits, float *its_logits)
        : call(its_call), limits(its_limits), logits(its_logits) {}

    const Call &call;
    const Limits &limits;
    float *const logits;
    size_t next = 0; // the first pair without a logit

    // The rest is for Turns: what its thread does.
    enum class State { waits, computed, leads, over };
    State state = State::waits;
    bool alone = false;       // it has no company any more: a piece with others failed
    std::exception_ptr fault; // that ended it
    std::condition_variable wake;
};

// The pairs of a call from its next one to `end` (not included).
struct Share {
    Turn *turn;
    size_t end;
};
using Shares = std::vector<Share>;

class Turns {
  public:
    // A piece has room for `capacity` padded keys; `apart` says whether a pair's texts are placed
    // apart. Calls with no more than `small` tokens left share one.
    Turns(int capacity, int small, bool apart)
        : capacity_(capacity), small_(small), apart_(apart) {}

    // Computes a call with `compute`, which is called by one thread at a time and may be called
    // with other threads' pairs, and raises what ends the call. The thread whose turn it is
    // computes; those whose calls share the piece wait for it.
    using Compute = std::function<void(const Shares &)>;
    void run(Turn &own, const Compute &compute);

  private:
    const int capacity_, small_;
    const bool apart_;
    std::mutex mutex_;
    std::vector<Turn *> turns_; // those that are not over; the first one leads, or will

    void await(Turn &own, std::unique_lock<std::mutex> &lock);
    void lead(Turn &own, std::unique_lock<std::mutex> &lock, const Compute &compute);
    Shares collect(Turn &own) const;
    int64_t keys_left(const Turn &turn) const;
    size_t end_of_piece(const Turn &turn) const;
    void settle(const Shares &shares, const std::exception_ptr &fault);
    void drop_ended();
    void finish(Turn &turn, const std::exception_ptr &fault);
};

} // namespace edge_rerank::engine
