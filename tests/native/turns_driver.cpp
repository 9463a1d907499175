// Many threads call, cancel, run out of time, ask and close at once, for a sanitizer to watch.
// turns_driver FOLDER...; ends with 0 when every call came back with the right bits, or with the
// end that it was given and logits that were left as they were.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "edge_rerank.h"

namespace {
constexpr int kPairs = 24, kCallers = 6, kRounds = 60, kEngines = 4;
constexpr float kUntouched = -1.5f;

std::atomic<int> failures{0};

void expect(bool holds, const char *what) {
    if (!holds) {
        std::fprintf(stderr, "%s; last error: %s\n", what, edge_rerank_last_error());
        ++failures;
    }
}

// Pairs of all lengths, some of them too many for a piece.
struct Batch {
    std::vector<int32_t> ids, first_segments;
    std::vector<int64_t> offsets{0};

    explicit Batch(const edge_rerank_info &info) {
        for (int pair = 0; pair < kPairs; ++pair) {
            const int length = 1 + pair * 5 % std::min(info.max_length, 40);
            for (int i = 0; i < length; ++i) {
                ids.push_back((pair * 7 + i) % info.vocabulary);
            }
            offsets.push_back(int64_t(ids.size()));
            first_segments.push_back(info.token_types == 1 ? length : length / 2);
        }
    }
};

edge_rerank_engine *open(const char *folder, int threads) {
    edge_rerank_options options{};
    options.size = sizeof options;
    options.threads = threads;
    options.tokens_in_flight = 96;
    edge_rerank_engine *engine = nullptr;
    expect(edge_rerank_open(folder, &options, &engine) == EDGE_RERANK_OK, "open failed");
    return engine;
}

edge_rerank_info describe(edge_rerank_engine *engine) {
    edge_rerank_info info{};
    info.size = sizeof info;
    expect(edge_rerank_describe(engine, &info) == EDGE_RERANK_OK, "describe failed");
    return info;
}

edge_rerank_status score(edge_rerank_engine *engine, const Batch &batch, int first, int count,
                         const edge_rerank_call_options *options, float *logits) {
    std::vector<int64_t> offsets(size_t(count) + 1);
    for (int i = 0; i <= count; ++i) {
        offsets[size_t(i)] = batch.offsets[size_t(first + i)] - batch.offsets[size_t(first)];
    }
    return edge_rerank_score_with(engine, options, batch.ids.data() + batch.offsets[size_t(first)],
                                  offsets.data(), batch.first_segments.data() + first,
                                  size_t(count), logits);
}

void call(edge_rerank_engine *engine, const Batch &batch, const std::vector<float> &expected,
          int number, int32_t *flags) {
    for (int round = 0; round < kRounds; ++round) {
        const int first = (number * 5 + round) % (kPairs / 2);
        const int count = round % 3 == 0 ? kPairs - first : 1 + round % 2;
        edge_rerank_call_options options{};
        options.size = sizeof options;
        options.cancelled = round % 4 == 1 ? &flags[number] : nullptr;
        options.timeout_ms = round % 5 == 2 ? 1 : 0;
        std::vector<float> logits(size_t(count), kUntouched);
        const edge_rerank_status status =
            score(engine, batch, first, count, &options, logits.data());
        if (status == EDGE_RERANK_OK) {
            expect(std::memcmp(logits.data(), expected.data() + first,
                               logits.size() * sizeof(float)) == 0,
                   "a caller got other bits");
        } else {
            expect((status == EDGE_RERANK_CANCELLED && options.cancelled) ||
                       (status == EDGE_RERANK_TIMED_OUT && options.timeout_ms),
                   "a call ended without a reason");
            expect(logits == std::vector<float>(size_t(count), kUntouched), "it wrote a logit");
        }
        if (round % 7 == 0) { // this one's or another's
            edge_rerank_cancel(&flags[(number + round / 7) % kCallers]);
        }
        if (round % 9 == 0) {
            describe(engine);
        }
    }
}

// Callers of one engine, which is closed when the last of them has let go of it.
void share(const char *folder, int threads) {
    const std::shared_ptr<edge_rerank_engine> engine(open(folder, threads), edge_rerank_close);
    if (!engine) {
        return;
    }
    const Batch batch(describe(engine.get()));
    std::vector<float> expected(kPairs);
    expect(score(engine.get(), batch, 0, kPairs, nullptr, expected.data()) == EDGE_RERANK_OK,
           "score failed");
    std::vector<int32_t> flags(kCallers, 0);
    std::vector<std::thread> callers;
    for (int number = 0; number < kCallers; ++number) {
        callers.emplace_back([&, number, held = engine]() mutable {
            call(held.get(), batch, expected, number, flags.data());
            held.reset();
        });
    }
    for (std::thread &caller : callers) {
        caller.join();
    }
}

} // namespace

int main(int argc, char **argv) {
    for (int i = 1; i < argc; ++i) {
        std::vector<std::thread> engines;
        for (int number = 0; number < kEngines; ++number) {
            engines.emplace_back([=] { share(argv[i], 1 + number % 3); });
        }
        for (std::thread &engine : engines) {
            engine.join();
        }
    }
    return failures || argc < 2 ? 1 : 0;
}
