#include "base/pool.h"

#include <string>
#include <system_error>

#include "base/error.h"

namespace edge_rerank {

Pool::Pool(int threads) {
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
