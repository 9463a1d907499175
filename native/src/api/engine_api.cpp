// The C interface: checks what comes in, and lets no exception out.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "api/guard.h"
#include "base/error.h"
#include "base/process.h"
#include "base/processors.h"
#include "edge_rerank.h"
#include "engine/engine.h"
#include "kernels/cpu.h"
#include "kernels/peak.h"

struct edge_rerank_engine {
    edge_rerank::engine::Engine engine;
    const int64_t process = edge_rerank::process_id(); // that opened it, and has its threads
};

namespace {
using namespace edge_rerank;
using namespace edge_rerank::api;

constexpr int kThreadTokens = 512; // in flight for each thread: few enough to stay in the caches
constexpr int kMostTokens = 1 << 20;

int in_range(int32_t value, int32_t most, int otherwise, const char *name) {
    if (value < 0 || value > most) {
        invalid_argument(std::string(name) + " is " + std::to_string(value) + "; expected 0 to " +
                         std::to_string(most));
    }
    return value ? value : otherwise;
}

constexpr uint32_t kLeastOptions = FIRST_SIZE(edge_rerank_options, kernel);
constexpr uint32_t kLeastInfo =
    offsetof(edge_rerank_info, times) + FIRST_SIZE(edge_rerank_times, multiply_adds);
constexpr uint32_t kLeastCallOptions = FIRST_SIZE(edge_rerank_call_options, cancelled);
static_assert((kLeastOptions == 24 && kLeastInfo == 112 && kLeastCallOptions == 16) ||
              sizeof(void *) != 8);

// Reads what the caller's version of the struct has; the rest is zero.
template <typename Options> Options read(const Options *given, uint32_t least, const char *name) {
    Options options{};
    if (given) {
        need_size(given->size, least, name);
        std::memcpy(&options, given, std::min(size_t(given->size), sizeof options));
    }
    return options;
}

engine::Limits read_limits(const edge_rerank_call_options *given) {
    const auto options = read(given, kLeastCallOptions, "call_options");
    engine::Limits limits;
    limits.cancelled = options.cancelled;
    if (in_range(options.timeout_ms, INT32_MAX, 0, "call_options.timeout_ms") > 0) {
        limits.deadline = engine::Clock::now() + std::chrono::milliseconds(options.timeout_ms);
    }
    return limits;
}

// The engine, where there is one and this process has its threads.
engine::Engine &usable(edge_rerank_engine *engine) {
    need(engine, "engine");
    if (const int64_t here = process_id(); here != engine->process) {
        throw Error(EDGE_RERANK_OTHER_PROCESS,
                    "the engine was opened in process " + std::to_string(engine->process) +
                        ", and this is " + std::to_string(here) +
                        ", forked from it, where its threads are not; open one in each process");
    }
    return engine->engine;
}
} // namespace

extern "C" {

uint32_t edge_rerank_api_version(void) { return EDGE_RERANK_API_VERSION; }

const char *edge_rerank_version(void) { return EDGE_RERANK_VERSION; }

const char *edge_rerank_last_error(void) { return last_error_text(); }

const char *edge_rerank_kernels(void) {
    try {
        static const std::string names = [] {
            std::string all;
            for (const kernels::Kernel *kernel : kernels::available()) {
                all += (all.empty() ? "" : ",") + std::string(kernel->name);
            }
            return all;
        }();
        return names.c_str();
    } catch (...) { // out of memory; the next call tries again
        return "scalar";
    }
}

edge_rerank_status edge_rerank_open(const char *folder, const edge_rerank_options *given,
                                    edge_rerank_engine **engine) {
    if (engine) {
        *engine = nullptr;
    }
    return guarded([&] {
        need(folder, "folder");
        need(engine, "engine");
        const edge_rerank_options wanted = read(given, kLeastOptions, "options");
        engine::Options options{};
        options.access = Access::copied;
        options.threads = in_range(wanted.threads, kMostThreads, 0, "options.threads");
        if (options.threads == 0) {
            options.threads = std::min(usable_processors(), kMostThreads);
        }
        options.max_length = in_range(wanted.max_length, kMostTokens, 0, "options.max_length");
        options.tokens_in_flight =
            in_range(wanted.tokens_in_flight, kMostTokens, kThreadTokens * options.threads,
                     "options.tokens_in_flight");
        if (in_range(wanted.map_weights, 1, 0, "options.map_weights")) {
            options.access = Access::mapped;
        }
        const kernels::Kernel &kernel = kernels::choose(wanted.kernel);
        *engine = new edge_rerank_engine{{folder, options, kernel}};
    });
}

edge_rerank_status edge_rerank_score(edge_rerank_engine *engine, const int32_t *ids,
                                     const int64_t *offsets, const int32_t *first_segments,
                                     size_t count, float *logits) {
    return edge_rerank_score_with(engine, nullptr, ids, offsets, first_segments, count, logits);
}

edge_rerank_status edge_rerank_score_with(edge_rerank_engine *engine,
                                          const edge_rerank_call_options *given, const int32_t *ids,
                                          const int64_t *offsets, const int32_t *first_segments,
                                          size_t count, float *logits) {
    return guarded([&] {
        engine::Engine &running = usable(engine);
        const engine::Limits limits = read_limits(given);
        if (count == 0) {
            return;
        }
        need(ids, "ids");
        need(offsets, "offsets");
        need(logits, "logits");
        if (count > size_t(1) << 40) {
            invalid_argument("count is " + std::to_string(count) + "; expected up to 2^40");
        }
        running.score({ids, offsets, first_segments, count}, limits, logits);
    });
}

void edge_rerank_cancel(int32_t *cancelled) {
    if (cancelled) {
        __atomic_store_n(cancelled, 1, __ATOMIC_RELEASE);
    }
}

edge_rerank_status edge_rerank_describe(edge_rerank_engine *engine, edge_rerank_info *info) {
    return guarded([&] {
        engine::Engine &running = usable(engine);
        need(info, "info");
        need_size(info->size, kLeastInfo, "info");
        edge_rerank_info full{};
        full.size = info->size;
        running.describe(full);
        std::memcpy(info, &full, std::min(size_t(info->size), sizeof full));
    });
}

edge_rerank_status edge_rerank_peak(const char *kernel, double *int8_multiply_adds,
                                    double *float32_multiply_adds, double *bytes_read) {
    return guarded([&] {
        const kernels::Kernel &chosen = kernels::choose(kernel);
        if (int8_multiply_adds) {
            *int8_multiply_adds = kernels::peak_rate(chosen, chosen.peak_i8);
        }
        if (float32_multiply_adds) {
            *float32_multiply_adds = kernels::peak_rate(chosen, chosen.peak_f32);
        }
        if (bytes_read) {
            *bytes_read = kernels::read_rate();
        }
    });
}

void edge_rerank_close(edge_rerank_engine *engine) {
    // A forked process has no threads to wait for, and perhaps a lock that nobody will open; its
    // memory is that of the process that opened the engine as long as neither writes to it.
    if (engine && engine->process == process_id()) {
        delete engine;
    }
}

} // extern "C"
