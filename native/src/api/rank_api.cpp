// The one call for who ranks once: opens, encodes, scores and closes with the others.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "api/guard.h"
#include "base/error.h"
#include "edge_rerank.h"

namespace {
using namespace edge_rerank;
using namespace edge_rerank::api;

constexpr size_t kAtATime = 256; // texts; room is set aside for the longest possible pairs

using EngineHandle = std::unique_ptr<edge_rerank_engine, decltype(&edge_rerank_close)>;
using TokenizerHandle =
    std::unique_ptr<edge_rerank_tokenizer, decltype(&edge_rerank_tokenizer_close)>;

void check(edge_rerank_status status) {
    if (status != EDGE_RERANK_OK) {
        throw Error(status, last_error_text());
    }
}

EngineHandle open_engine(const char *folder) {
    edge_rerank_engine *engine = nullptr;
    check(edge_rerank_open(folder, nullptr, &engine));
    return {engine, edge_rerank_close};
}

TokenizerHandle open_tokenizer(const std::string &folder, int32_t max_length) {
    edge_rerank_tokenizer *tokenizer = nullptr;
    check(edge_rerank_tokenizer_open((folder + "/tokenizer.json").c_str(), max_length, &tokenizer));
    return {tokenizer, edge_rerank_tokenizer_close};
}

edge_rerank_info describe(edge_rerank_engine *engine) {
    edge_rerank_info info{};
    info.size = sizeof info;
    check(edge_rerank_describe(engine, &info));
    return info;
}

std::vector<edge_rerank_text> read_texts(const char *const *texts, size_t count) {
    std::vector<edge_rerank_text> read(count);
    for (size_t i = 0; i < count; ++i) {
        need(texts[i], ("texts[" + std::to_string(i) + "]").c_str());
        read[i] = {texts[i], std::strlen(texts[i])};
    }
    return read;
}

std::vector<float> rank(const char *folder, const char *query,
                        const std::vector<edge_rerank_text> &texts) {
    const EngineHandle engine = open_engine(folder);
    const edge_rerank_info info = describe(engine.get());
    const TokenizerHandle tokenizer = open_tokenizer(folder, info.max_length);
    const std::string prompted = std::string(info.prompt) + query;
    const std::vector<edge_rerank_text> queries(std::min(texts.size(), kAtATime),
                                                {prompted.data(), prompted.size()});
    std::vector<int32_t> ids(queries.size() * size_t(info.max_length));
    std::vector<int64_t> offsets(queries.size() + 1);
    std::vector<int32_t> first_segments(queries.size());
    std::vector<float> scores(texts.size());
    for (size_t first = 0; first < texts.size(); first += kAtATime) {
        const size_t count = std::min(kAtATime, texts.size() - first);
        check(edge_rerank_tokenizer_encode(tokenizer.get(), queries.data(), texts.data() + first,
                                           count, ids.data(), offsets.data(), first_segments.data(),
                                           nullptr));
        check(edge_rerank_score(engine.get(), ids.data(), offsets.data(), first_segments.data(),
                                count, scores.data() + first));
    }
    return scores;
}
} // namespace

extern "C" edge_rerank_status edge_rerank_rank(const char *folder, const char *query,
                                               const char *const *texts, size_t count,
                                               float *scores) {
    return guarded([&] {
        need(folder, "folder");
        need(query, "query");
        if (count == 0) {
            return;
        }
        need(texts, "texts");
        need(scores, "scores");
        const std::vector<float> found = rank(folder, query, read_texts(texts, count));
        std::copy(found.begin(), found.end(), scores);
    });
}
