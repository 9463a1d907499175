// Runs the engine under a sanitizer: every kernel, several threads, callers at once, bad calls.
// driver FOLDER...; ends with 0 when all scores of a pair were the same bits. The first artifact
// is scored with short pairs alone by the scalar kernel, which is slow.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "edge_rerank.h"

namespace {

struct Batch {
    std::vector<int32_t> ids, first_segments;
    std::vector<int64_t> offsets{0};
    size_t count() const { return offsets.size() - 1; }
};

std::atomic<int> failures{0};

void expect(bool holds, const char *what) {
    if (!holds) {
        std::fprintf(stderr, "%s; last error: %s\n", what, edge_rerank_last_error());
        ++failures;
    }
}

edge_rerank_info describe(edge_rerank_engine *engine) {
    edge_rerank_info info{};
    info.size = sizeof info;
    expect(edge_rerank_describe(engine, &info) == EDGE_RERANK_OK, "describe failed");
    return info;
}

// Pairs of many lengths, the shortest first; the same ones each time. The longest has as many
// tokens as the engine takes.
Batch make_batch(const edge_rerank_info &info) {
    Batch batch;
    uint32_t state = 1;
    for (const int wanted : {1, 2, 7, 8, 9, 16, 17, 33, 65, info.max_length}) {
        const int length = std::min(wanted, info.max_length);
        for (int i = 0; i < length; ++i) {
            state = state * 1664525u + 1013904223u;
            batch.ids.push_back(int32_t((state >> 8) % uint32_t(info.vocabulary)));
        }
        batch.offsets.push_back(int64_t(batch.ids.size()));
        batch.first_segments.push_back(info.token_types == 1 ? length : length / 2);
    }
    return batch;
}

Batch first_pairs(Batch batch, size_t count) {
    batch.offsets.resize(count + 1);
    batch.first_segments.resize(count);
    batch.ids.resize(size_t(batch.offsets.back()));
    return batch;
}

edge_rerank_engine *open(const char *folder, const char *kernel, int threads) {
    edge_rerank_options options{};
    options.size = sizeof options;
    options.threads = threads;
    options.tokens_in_flight = 160; // less than the batch has, so that it goes in pieces
    options.kernel = kernel;
    edge_rerank_engine *engine = nullptr;
    expect(edge_rerank_open(folder, &options, &engine) == EDGE_RERANK_OK, "open failed");
    return engine;
}

std::vector<float> score(edge_rerank_engine *engine, const Batch &batch) {
    std::vector<float> logits(batch.count());
    expect(edge_rerank_score(engine, batch.ids.data(), batch.offsets.data(),
                             batch.first_segments.data(), batch.count(),
                             logits.data()) == EDGE_RERANK_OK,
           "score failed");
    return logits;
}

// Whether these are the first of the expected bits.
bool same(const std::vector<float> &found, const std::vector<float> &expected) {
    return std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)) == 0;
}

void score_from_many_threads(edge_rerank_engine *engine, const Batch &batch,
                             const std::vector<float> &expected) {
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; ++i) {
        callers.emplace_back([&] {
            expect(same(score(engine, batch), expected), "a caller got other bits");
            describe(engine);
        });
    }
    for (std::thread &caller : callers) {
        caller.join();
    }
}

void call_badly(const char *folder, edge_rerank_engine *engine) {
    const int32_t bad_ids[] = {-1, 1 << 30, INT32_MIN};
    const int64_t good[] = {0, 1}, falling[] = {0, -5}, empty[] = {0, 0}, late[] = {1, 2};
    const int32_t one = 1;
    float logit = 7;
    for (const int32_t &id : bad_ids) {
        expect(edge_rerank_score(engine, &id, good, nullptr, 1, &logit) ==
                   EDGE_RERANK_INVALID_ARGUMENT,
               "a bad id was taken");
    }
    for (const int64_t *offsets : {falling, empty, late}) {
        expect(edge_rerank_score(engine, &one, offsets, nullptr, 1, &logit) ==
                   EDGE_RERANK_INVALID_ARGUMENT,
               "bad offsets were taken");
    }
    expect(edge_rerank_score(engine, nullptr, good, nullptr, 1, &logit) != EDGE_RERANK_OK,
           "null ids were taken");
    expect(edge_rerank_score(nullptr, &one, good, nullptr, 1, &logit) != EDGE_RERANK_OK,
           "a null engine was taken");
    expect(logit == 7, "a call that failed wrote a logit");
    edge_rerank_engine *none = engine;
    expect(edge_rerank_open("nowhere", nullptr, &none) == EDGE_RERANK_BAD_ARTIFACT && !none,
           "a folder that is not there was opened");
    expect(edge_rerank_open(folder, nullptr, nullptr) != EDGE_RERANK_OK, "null was filled");
    edge_rerank_close(nullptr);
}

// Several threads that open, score and close engines of their own.
void open_from_many_threads(const char *folder, const Batch &batch,
                            const std::vector<float> &expected) {
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; ++i) {
        callers.emplace_back([&, i] {
            edge_rerank_engine *engine = open(folder, nullptr, i + 1);
            expect(engine && same(score(engine, batch), expected), "an engine gave other bits");
            edge_rerank_close(engine);
        });
    }
    for (std::thread &caller : callers) {
        caller.join();
    }
}

void run_kernels(const char *folder, const Batch &batch, const std::vector<float> &expected,
                 bool slow) {
    std::string names = edge_rerank_kernels();
    for (char *kernel = std::strtok(&names[0], ","); kernel; kernel = std::strtok(nullptr, ",")) {
        const bool few = slow && std::strcmp(kernel, "scalar") == 0;
        edge_rerank_engine *engine = open(folder, kernel, 3);
        const Batch some = first_pairs(batch, few ? 6 : batch.count());
        expect(engine && same(score(engine, some), expected), kernel);
        edge_rerank_close(engine);
    }
}

void run(const char *folder, bool slow) {
    edge_rerank_engine *engine = open(folder, nullptr, 1);
    if (!engine) {
        return;
    }
    const Batch batch = make_batch(describe(engine));
    const std::vector<float> expected = score(engine, batch);
    score_from_many_threads(engine, batch, expected);
    call_badly(folder, engine);
    edge_rerank_close(engine);
    open_from_many_threads(folder, batch, expected);
    run_kernels(folder, batch, expected, slow);
}

} // namespace

int main(int argc, char **argv) {
    for (int i = 1; i < argc; ++i) {
        run(argv[i], i == 1);
    }
    return failures || argc < 2 ? 1 : 0;
}
