// The tokenizer's part of the C interface.
#include <algorithm>
#include <cstring>

#include "api/guard.h"
#include "edge_rerank.h"
#include "tokenizer/tokenizer.h"

struct edge_rerank_tokenizer { edge_rerank::tokenizer::Tokenizer tokenizer; };

namespace {
using namespace edge_rerank;
using namespace edge_rerank::api;

constexpr int32_t kMostTokens = 1 << 20;
constexpr uint32_t kLeastInfo = FIRST_SIZE(edge_rerank_tokenizer_info, model);
static_assert(kLeastInfo == 32 || sizeof(void *) != 8);
} // namespace

extern "C" {

edge_rerank_status edge_rerank_tokenizer_open(const char *path, int32_t max_length,
                                              edge_rerank_tokenizer **tokenizer) {
    if (tokenizer) {
        *tokenizer = nullptr;
    }
    return guarded([&] {
        need(path, "path");
        need(tokenizer, "tokenizer");
        if (max_length > kMostTokens) {
            invalid_argument("max_length is " + std::to_string(max_length) + "; expected up to " +
                             std::to_string(kMostTokens));
        }
        *tokenizer = new edge_rerank_tokenizer{{path, max_length}};
    });
}

edge_rerank_status edge_rerank_tokenizer_encode(const edge_rerank_tokenizer *tokenizer,
                                                const edge_rerank_text *queries,
                                                const edge_rerank_text *documents, size_t count,
                                                int32_t *ids, int64_t *offsets,
                                                int32_t *first_segments, uint8_t *truncated) {
    return edge_rerank_tokenizer_encode_on(tokenizer, 1, queries, documents, nullptr, count, ids,
                                           offsets, first_segments, truncated);
}

edge_rerank_status edge_rerank_tokenizer_encode_on(const edge_rerank_tokenizer *tokenizer,
                                                   int32_t threads, const edge_rerank_text *queries,
                                                   const edge_rerank_text *documents,
                                                   const uint8_t *documents_go_on, size_t count,
                                                   int32_t *ids, int64_t *offsets,
                                                   int32_t *first_segments, uint8_t *truncated) {
    return guarded([&] {
        need(tokenizer, "tokenizer");
        need(offsets, "offsets");
        if (threads < 1 || threads > kMostThreads) {
            invalid_argument("threads is " + std::to_string(threads) + "; expected 1 to " +
                             std::to_string(kMostThreads));
        }
        if (count == 0) {
            offsets[0] = 0;
            return;
        }
        need(queries, "queries");
        need(documents, "documents");
        need(ids, "ids");
        if (documents_go_on) {
            need(truncated, "truncated");
        }
        tokenizer->tokenizer.encode({queries, documents, documents_go_on, count},
                                    {ids, offsets, first_segments, truncated}, threads);
    });
}

edge_rerank_status edge_rerank_tokenizer_describe(const edge_rerank_tokenizer *tokenizer,
                                                  edge_rerank_tokenizer_info *info) {
    return guarded([&] {
        need(tokenizer, "tokenizer");
        need(info, "info");
        need_size(info->size, kLeastInfo, "tokenizer_info");
        edge_rerank_tokenizer_info full{};
        full.size = info->size;
        tokenizer->tokenizer.describe(full);
        std::memcpy(info, &full, std::min(size_t(info->size), sizeof full));
    });
}

void edge_rerank_tokenizer_close(edge_rerank_tokenizer *tokenizer) { delete tokenizer; }

} // extern "C"
