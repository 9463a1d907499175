#include "base/pool.h"

#include <string>
#include <system_error>

#include "base/default_floats.h"
#include "base/error.h"

#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

namespace edge_rerank {

namespace {
#if defined(_WIN32)
struct BlockedSignals {};
#else
// Blocks signals in this thread, and in those that it starts meanwhile: a handler of the host runs
// on a thread of the host. Faults are let through: they are the thread's own, and where one is
// blocked the system ends the process before a crash reporter has seen it.
class BlockedSignals {
  public:
    BlockedSignals() {
        sigset_t blocked;
        sigfillset(&blocked);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
            sigdelset(&blocked, fault);
        }
        pthread_sigmask(SIG_SETMASK, &blocked, &before_);
    }
    ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    BlockedSignals(const BlockedSignals &) = delete;
    BlockedSignals &operator=(const BlockedSignals &) = delete;

  private:
    sigset_t before_;
};
#endif
} // namespace

Pool::Pool(int threads) {
    [[maybe_unused]] const BlockedSignals blocked;
    try {
        for (int number = 1; number < threads; ++number) {
            threads_.emplace_back([this, number] { loop(number); });
        }
    } catch (const std::system_error &error) {
        const size_t number = threads_.size() + 2;
        close();
        throw Error(EDGE_RERANK_INTERNAL,
                    "thread " + std::to_string(number) + " of " + std::to_string(threads) +
                        " cannot be started: " + error.code().message() +
                        "; the limit of processes is reached (ulimit -u, a container's pids " +
                        "limit), or the system is too old for this container; ask for fewer " +
                        "threads: 1 needs no other");
    } catch (...) {
        close();
        throw;
    }
}

Pool::~Pool() { close(); }

void Pool::close() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        closing_ = true;
    }
    start_.notify_all();
    for (std::thread &thread : threads_) {
        thread.join();
    }
}

void Pool::run(const std::function<void(int)> &work) {
    placement_.make_way(threads_);
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        work_ = &work;
        running_ = int(threads_.size());
        ++turn_;
    }
    start_.notify_all();
    work(0);
    std::unique_lock<std::mutex> lock(mutex_);
    end_.wait(lock, [this] { return running_ == 0; });
}

void Pool::loop(int number) {
    const DefaultFloats floats;
    unsigned long seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
        start_.wait(lock, [&] { return closing_ || turn_ != seen; });
        if (closing_) {
            return;
        }
        seen = turn_;
        const std::function<void(int)> &work = *work_;
        lock.unlock();
        work(number);
        lock.lock();
        if (--running_ == 0) {
            end_.notify_one();
        }
    }
}

} // namespace edge_rerank
