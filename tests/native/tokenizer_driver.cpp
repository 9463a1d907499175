// Runs the tokenizer under a sanitizer: awkward texts from several threads, and damaged files.
// tokenizer_driver FOLDER/tokenizer.json...; ends with 0 when all calls gave the same ids. Damaged
// copies are written beside each file.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "edge_rerank.h"

namespace {
constexpr int32_t kMaxLength = 24;
constexpr int kDamagedCopies = 400;

std::atomic<int> failures{0};

void expect(bool holds, const char *what) {
    if (!holds) {
        std::fprintf(stderr, "%s; last error: %s\n", what, edge_rerank_last_error());
        ++failures;
    }
}

std::vector<std::string> make_texts() {
    std::vector<std::string> texts = {"",
                                      " ",
                                      "the wing",
                                      "[SEP] x [UNK][MASK",
                                      "\xE2\x96\x81\xE2\x96\x81 a\r\n\r",
                                      "e\xCC\x81\xCD\x84\xCC\x81 \xC2\xA9\xE2\x80\x8D\xC2\xA9",
                                      "\xED\x95\x9C\xEA\xB5\xAD",
                                      "\xE4\xB8\xAD\xE6\x96\x87",
                                      "\xF4\x8F\xBF\xBF\xEF\xBF\xBF",
                                      "\xE0\xA4\x95\xE0\xA5\x8D"};
    texts.push_back(std::string("zero\0byte", 9));
    texts.push_back(std::string(5000, 'a'));
    std::string accents;
    for (int i = 0; i < 2000; ++i) {
        accents += "\xCC\x81";
    }
    texts.push_back(accents);
    return texts;
}

edge_rerank_tokenizer *open(const std::string &path) {
    edge_rerank_tokenizer *tokenizer = nullptr;
    const edge_rerank_status status =
        edge_rerank_tokenizer_open(path.c_str(), kMaxLength, &tokenizer);
    expect((status == EDGE_RERANK_OK) == (tokenizer != nullptr), "a handle without success");
    return tokenizer;
}

// Each text as a query and, in the opposite order, as a document. Damaged files may fail.
std::vector<int32_t> encode(const edge_rerank_tokenizer *tokenizer, bool may_fail) {
    const std::vector<std::string> texts = make_texts();
    const size_t count = texts.size();
    std::vector<edge_rerank_text> queries, documents;
    for (size_t i = 0; i < count; ++i) {
        queries.push_back({texts[i].data(), texts[i].size()});
        documents.push_back({texts[count - 1 - i].data(), texts[count - 1 - i].size()});
    }
    std::vector<int32_t> ids(count * size_t(kMaxLength)), first(count);
    std::vector<int64_t> offsets(count + 1);
    std::vector<uint8_t> truncated(count);
    const edge_rerank_status status =
        edge_rerank_tokenizer_encode(tokenizer, queries.data(), documents.data(), count, ids.data(),
                                     offsets.data(), first.data(), truncated.data());
    expect(status == EDGE_RERANK_OK || may_fail, "encode failed");
    ids.resize(status == EDGE_RERANK_OK ? size_t(offsets.back()) : 0);
    return ids;
}

void encode_from_many_threads(const edge_rerank_tokenizer *tokenizer) {
    const std::vector<int32_t> expected = encode(tokenizer, false);
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i) {
        callers.emplace_back(
            [&] { expect(encode(tokenizer, false) == expected, "a thread got other ids"); });
    }
    for (std::thread &caller : callers) {
        caller.join();
    }
}

void call_badly(const std::string &path) {
    edge_rerank_tokenizer *none = nullptr;
    expect(edge_rerank_tokenizer_open(nullptr, 9, &none) == EDGE_RERANK_INVALID_ARGUMENT, "null");
    expect(edge_rerank_tokenizer_open(path.c_str(), 9, nullptr) == EDGE_RERANK_INVALID_ARGUMENT,
           "null");
    expect(edge_rerank_tokenizer_open("/nowhere", 9, &none) == EDGE_RERANK_BAD_ARTIFACT, "no file");
    expect(edge_rerank_tokenizer_open(path.c_str(), 4, &none) == EDGE_RERANK_INVALID_ARGUMENT,
           "too short a length");
    edge_rerank_tokenizer_close(nullptr);
}

// The first bytes alone hold all but the vocabulary; every copy differs in some.
void open_damaged(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream content;
    content << file.rdbuf();
    const std::string whole = content.str(), copy = path + ".damaged";
    uint32_t state = 1;
    const auto random = [&](size_t limit) {
        state = state * 1664525u + 1013904223u;
        return (state >> 8) % limit;
    };
    for (int i = 0; i < kDamagedCopies; ++i) {
        std::string damaged = whole;
        for (size_t change = 0; change < 1 + random(3); ++change) {
            damaged[random(damaged.size())] = char(random(256));
        }
        damaged.resize(i % 4 ? damaged.size() : random(damaged.size()));
        std::ofstream(copy, std::ios::binary) << damaged;
        edge_rerank_tokenizer *tokenizer = nullptr;
        if (edge_rerank_tokenizer_open(copy.c_str(), kMaxLength, &tokenizer) == EDGE_RERANK_OK) {
            encode(tokenizer, true);
        }
        edge_rerank_tokenizer_close(tokenizer);
    }
    std::remove(copy.c_str());
}
} // namespace

int main(int argc, char **argv) {
    for (int i = 1; i < argc; ++i) {
        edge_rerank_tokenizer *tokenizer = open(argv[i]);
        if (tokenizer) {
            encode_from_many_threads(tokenizer);
            call_badly(argv[i]);
        }
        edge_rerank_tokenizer_close(tokenizer);
        open_damaged(argv[i]);
    }
    return failures || argc < 2 ? 1 : 0;
}
