#include "engine/turns.h"

#include <algorithm>

#include "base/error.h"
#include "engine/plan.h"

namespace edge_rerank::engine {

namespace {
// What has ended the call, if anything has.
std::exception_ptr end_of(const Limits &limits) {
    try {
        limits.check();
    } catch (...) {
        return std::current_exception();
    }
    return nullptr;
}

int64_t tokens_left(const Turn &turn) {
    return turn.call.offsets[turn.call.count] - turn.call.offsets[turn.next];
}
} // namespace

void Limits::check() const {
    if (cancelled && __atomic_load_n(cancelled, __ATOMIC_ACQUIRE) != 0) {
        throw Error(EDGE_RERANK_CANCELLED, "the call was cancelled");
    }
    if (timed() && Clock::now() >= deadline) {
        throw Error(EDGE_RERANK_TIMED_OUT, "the call was not done within its time");
    }
}

void Turns::run(Turn &own, const Compute &compute) {
    own.limits.check();
    std::unique_lock<std::mutex> lock(mutex_);
    turns_.push_back(&own);
    if (turns_.size() == 1) {
        own.state = Turn::State::leads;
    }
    while (true) {
        await(own, lock);
        if (own.state == Turn::State::over) {
            break;
        }
        lead(own, lock, compute);
    }
    lock.unlock();
    if (own.fault) {
        std::rethrow_exception(own.fault);
    }
}

// Waits until the call leads or is over.
void Turns::await(Turn &own, std::unique_lock<std::mutex> &lock) {
    while (own.state == Turn::State::waits || own.state == Turn::State::computed) {
        if (own.state == Turn::State::computed || !own.limits.timed()) {
            own.wake.wait(lock);
        } else {
            own.wake.wait_until(lock, own.limits.deadline);
            const std::exception_ptr fault = end_of(own.limits);
            if (fault && own.state == Turn::State::waits) {
                finish(own, fault);
            }
        }
    }
}

void Turns::lead(Turn &own, std::unique_lock<std::mutex> &lock, const Compute &compute) {
    Shares shares;
    std::exception_ptr fault = end_of(own.limits);
    if (!fault) {
        try {
            shares = collect(own);
        } catch (...) { // no memory
            fault = std::current_exception();
        }
    }
    if (fault) {
        finish(own, fault);
    } else {
        for (const Share &share : shares) {
            share.turn->state = Turn::State::computed;
        }
        lock.unlock();
        try {
            compute(shares);
        } catch (...) {
            fault = std::current_exception();
        }
        lock.lock();
        settle(shares, fault);
    }
    drop_ended();
    if (!turns_.empty()) {
        turns_.front()->state = Turn::State::leads;
        turns_.front()->wake.notify_one();
    }
}

// Padded keys of the pairs without a logit.
int64_t Turns::keys_left(const Turn &turn) const {
    int64_t keys = 0;
    for (size_t pair = turn.next; pair < turn.call.count; ++pair) {
        keys += keys_of(turn.call, pair, apart_);
    }
    return keys;
}

// The end of the pairs that fit; at least one does.
size_t Turns::end_of_piece(const Turn &turn) const {
    size_t end = turn.next;
    for (int64_t keys = 0; end < turn.call.count; ++end) {
        keys += keys_of(turn.call, end, apart_);
        if (keys > capacity_) {
            break;
        }
    }
    return end;
}

// The pairs of the next piece.
Shares Turns::collect(Turn &own) const {
    Shares shares{{&own, end_of_piece(own)}};
    if (own.alone || tokens_left(own) > small_) {
        return shares;
    }
    int64_t room = capacity_ - keys_left(own);
    for (Turn *turn : turns_) {
        if (turn == &own || turn->alone || tokens_left(*turn) > small_) {
            continue;
        }
        const int64_t keys = keys_left(*turn);
        if (keys <= room) {
            shares.push_back({turn, turn->call.count});
            room -= keys;
        }
    }
    return shares;
}

void Turns::settle(const Shares &shares, const std::exception_ptr &fault) {
    for (const Share &share : shares) {
        Turn &turn = *share.turn;
        turn.state = Turn::State::waits;
        if (fault && shares.size() > 1) {
            turn.alone = true; // one of them is at fault: each tries again by itself
        } else if (fault || share.end == turn.call.count) {
            finish(turn, fault);
        } else {
            turn.next = share.end;
            const auto place = std::find(turns_.begin(), turns_.end(), &turn);
            std::rotate(place, place + 1, turns_.end());
        }
        turn.wake.notify_one(); // it may have come too late while it was computed
    }
}

// Their own threads sleep: nobody else looks at whether they were cancelled.
void Turns::drop_ended() {
    for (size_t i = 0; i < turns_.size();) {
        const std::exception_ptr fault = end_of(turns_[i]->limits);
        if (fault) {
            finish(*turns_[i], fault);
        } else {
            ++i;
        }
    }
}

// The turn's thread may then end it, as soon as the lock is open.
void Turns::finish(Turn &turn, const std::exception_ptr &fault) {
    turn.fault = fault;
    turn.state = Turn::State::over;
    turns_.erase(std::find(turns_.begin(), turns_.end(), &turn));
    turn.wake.notify_one();
}

} // namespace edge_rerank::engine
