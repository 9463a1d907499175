#include "engine/engine.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "kernels/stay.h"

namespace edge_rerank::engine {

namespace {
void add(edge_rerank_times &total, const edge_rerank_times &some) {
    total.embedding += some.embedding;
    total.products += some.products;
    total.attention += some.attention;
    total.rest += some.rest;
    total.waiting += some.waiting;
    total.multiply_adds += some.multiply_adds;
}

// Of two texts, each is padded.
int most_keys_of_pair(const Architecture &shape) {
    return padded_keys(shape.max_length) + (shape.apart() ? padded_keys(1) : 0);
}
} // namespace

Engine::Engine(const char *folder, const Options &options, const kernels::Kernel &kernel)
    : kernel_(kernel), model_(folder, options.max_length, options.access, kernel),
      capacity_(
          std::max(padded_keys(options.tokens_in_flight), most_keys_of_pair(model_.architecture))),
      buffers_(model_.architecture, kernel, capacity_, options.threads), pool_(options.threads),
      turns_(capacity_, kBlockRows * options.threads, model_.architecture.apart()) {}

void Engine::check(const Call &call) const {
    const Architecture &shape = model_.architecture;
    if (call.offsets[0] != 0) {
        invalid_argument("offsets[0] is " + std::to_string(call.offsets[0]) + "; expected 0");
    }
    for (size_t pair = 0; pair < call.count; ++pair) {
        const int64_t begin = call.offsets[pair], end = call.offsets[pair + 1];
        if (end <= begin || end - begin > shape.max_length) {
            invalid_argument("pair " + std::to_string(pair) + " goes from " +
                             std::to_string(begin) + " to " + std::to_string(end) +
                             "; expected 1 to " + std::to_string(shape.max_length) + " tokens");
        }
        for (int64_t i = begin; i < end; ++i) {
            if (call.ids[i] < 0 || call.ids[i] >= shape.vocabulary) {
                invalid_argument("pair " + std::to_string(pair) + " has the token id " +
                                 std::to_string(call.ids[i]) + "; the vocabulary has 0 to " +
                                 std::to_string(shape.vocabulary - 1));
            }
        }
        // A model of one token type has no row for tokens of the second.
        const int64_t least = shape.token_types == 1 ? end - begin : 0;
        if (shape.token_types &&
            (call.first_segments[pair] < least || call.first_segments[pair] > end - begin)) {
            invalid_argument("first_segments[" + std::to_string(pair) + "] is " +
                             std::to_string(call.first_segments[pair]) + "; expected " +
                             std::to_string(least) + " to " + std::to_string(end - begin));
        }
    }
}

void Engine::score(Call call, const Limits &limits, float *logits) {
    if (!model_.architecture.token_types) {
        call.first_segments = nullptr; // whatever was given, it is not read
    } else if (!call.first_segments) {
        invalid_argument("first_segments is null, but the model has token types");
    }
    check(call);
    std::vector<float> results(call.count);
    model_.weights.check_unchanged();
    Turn turn(call, limits, results.data());
    turns_.run(turn, [this](const Shares &shares) { run(shares); });
    model_.weights.check_unchanged(); // of scores that may be wrong none is given
    std::copy(results.begin(), results.end(), logits);
}

// Computes a piece.
void Engine::run(const Shares &shares) {
    Piece piece;
    Placer placer(piece, model_.architecture.apart());
    for (const Share &share : shares) {
        placer.add(share.turn->call, share.turn->next, share.end, share.turn->logits);
    }
    cut(piece, pool_.threads(), kernel_.tile_rows);
    Forward pass(model_, kernel_, buffers_, piece);
    std::vector<edge_rerank_times> times(size_t(pool_.threads()));
    pool_.run([&](int thread) {
        const kernels::Stay stay(kernel_);
        times[size_t(thread)] = pass.work(thread);
    });
    {
        const std::lock_guard<std::mutex> lock(times_mutex_);
        for (const edge_rerank_times &some : times) {
            add(times_, some);
        }
    }
    if (!pass.sound()) {
        throw Error(EDGE_RERANK_NOT_FINITE,
                    "the model gave a value that is infinite or not a number; its weights are not "
                    "those of a working model");
    }
}

void Engine::describe(edge_rerank_info &info) {
    const Architecture &shape = model_.architecture;
    info.threads = pool_.threads();
    info.max_length = shape.max_length;
    info.tokens_in_flight = capacity_;
    info.vocabulary = shape.vocabulary;
    info.token_types = shape.token_types;
    info.weights_bytes = model_.memory.total() + model_.weights.copied_bytes();
    info.buffers_bytes = buffers_.bytes();
    info.mapped_bytes = model_.weights.mapped_bytes();
    info.kernel = kernel_.name;
    info.precision = shape.int8 ? "int8" : "fp32";
    info.activation = shape.scoring.activation.c_str();
    info.prompt = shape.scoring.prompt.c_str();
    const std::lock_guard<std::mutex> lock(times_mutex_);
    info.times = times_;
}

} // namespace edge_rerank::engine
