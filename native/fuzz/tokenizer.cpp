// Fuzzes the tokenizer: an input is a tokenizer.json, a zero byte, and texts with zero bytes
// between them, of which neighbours are pairs.
#include <cstdint>
#include <memory>

#include "check.h"
#include "folder.h"

namespace {
constexpr int32_t kMaxLength = 16;
constexpr int32_t kUntouched = -7;

struct Close {
    void operator()(edge_rerank_tokenizer *tokenizer) const {
        edge_rerank_tokenizer_close(tokenizer);
    }
};
using Tokenizer = std::unique_ptr<edge_rerank_tokenizer, Close>;

struct Encoded {
    std::vector<int32_t> ids, first_segments;
    std::vector<int64_t> offsets;
    std::vector<uint8_t> truncated;
    edge_rerank_status status;

    explicit Encoded(size_t count)
        : ids(count * size_t(kMaxLength) + 1, kUntouched), first_segments(count),
          offsets(count + 1), truncated(count) {}
};

std::vector<std::string> split(const std::string &all) {
    std::vector<std::string> parts;
    size_t start = 0;
    for (size_t end; (end = all.find('\0', start)) != std::string::npos; start = end + 1) {
        parts.push_back(all.substr(start, end - start));
    }
    parts.push_back(all.substr(start));
    return parts;
}

Encoded encode(const edge_rerank_tokenizer *tokenizer, const std::vector<std::string> &texts,
               size_t first, size_t last) {
    std::vector<edge_rerank_text> queries, documents;
    for (size_t i = first; i < last; ++i) {
        queries.push_back({texts[i].data(), texts[i].size()});
        documents.push_back({texts[i + 1].data(), texts[i + 1].size()});
    }
    Encoded result(last - first);
    result.status = edge_rerank_tokenizer_encode(
        tokenizer, queries.data(), documents.data(), last - first, result.ids.data(),
        result.offsets.data(), result.first_segments.data(), result.truncated.data());
    fuzz::check_status(result.status, EDGE_RERANK_INVALID_ARGUMENT);
    return result;
}

void check_pair(const edge_rerank_tokenizer *tokenizer, const std::vector<std::string> &texts,
                const Encoded &all, size_t pair) {
    const int64_t begin = all.offsets[pair], size = all.offsets[pair + 1] - begin;
    fuzz::check(size >= 0 && size <= kMaxLength, "a pair is too long");
    fuzz::check(all.first_segments[pair] >= 0 && all.first_segments[pair] <= size, "segments");
    const Encoded alone = encode(tokenizer, texts, pair, pair + 1);
    fuzz::check(alone.status == EDGE_RERANK_OK && alone.offsets[1] == size, "a pair alone differs");
    for (int64_t i = 0; i < size; ++i) {
        fuzz::check(alone.ids[size_t(i)] == all.ids[size_t(begin + i)], "a pair alone differs");
        fuzz::check(alone.ids[size_t(i)] >= 0, "an id below 0");
    }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const std::vector<std::string> parts =
        split(std::string(reinterpret_cast<const char *>(bytes), size));
    const std::string path = fuzz::folder() + "/manifest.json"; // which the folder removes
    fuzz::write_file(path, parts[0]);
    edge_rerank_tokenizer *opened = nullptr;
    const edge_rerank_status status = edge_rerank_tokenizer_open(path.c_str(), kMaxLength, &opened);
    fuzz::check_status(status, EDGE_RERANK_UNSUPPORTED);
    fuzz::check((status == EDGE_RERANK_OK) == (opened != nullptr), "a handle without success");
    const Tokenizer tokenizer(opened);
    if (!tokenizer || parts.size() < 3) {
        return 0;
    }
    const std::vector<std::string> texts(parts.begin() + 1, parts.end());
    const size_t pairs = texts.size() - 1;
    const Encoded all = encode(opened, texts, 0, pairs);
    fuzz::check(all.ids.back() == kUntouched, "more was written than there is room for");
    for (size_t pair = 0; pair < pairs && all.status == EDGE_RERANK_OK; ++pair) {
        check_pair(opened, texts, all, pair);
    }
    return 0;
}
