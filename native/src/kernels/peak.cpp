#include "kernels/peak.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "kernels/stay.h"

namespace edge_rerank::kernels {

namespace {
constexpr double kSeconds = 0.1;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}
} // namespace

double peak_rate(const Kernel &kernel, double (*loop)(long rounds)) {
    const Stay stay(kernel);
    double best = 0;
    const Clock::time_point start = Clock::now();
    // The best of several short runs: other programs only ever take time away.
    for (long rounds = 16; seconds_since(start) < kSeconds;) {
        const Clock::time_point begin = Clock::now();
        const double count = loop(rounds);
        const double seconds = seconds_since(begin);
        best = std::max(best, count / std::max(seconds, 1e-9));
        rounds = seconds < kSeconds / 20 ? rounds * 2 : rounds;
    }
    return best;
}

double read_rate() {
    const std::vector<uint64_t> data(size_t(16) << 20, 1); // 128 MiB, beyond any cache
    double best = 0;
    uint64_t total = 0;
    for (int turn = 0; turn < 3; ++turn) {
        const Clock::time_point begin = Clock::now();
        uint64_t sums[8] = {};
        for (size_t i = 0; i < data.size(); i += 8) {
            for (size_t lane = 0; lane < 8; ++lane) {
                sums[lane] += data[i + lane];
            }
        }
        for (const uint64_t sum : sums) {
            total += sum;
        }
        best = std::max(best, double(data.size() * 8) / std::max(seconds_since(begin), 1e-9));
    }
    volatile uint64_t kept = total; // so that the loop is not left out
    (void)kept;
    return best;
}

} // namespace edge_rerank::kernels
