// Texts to token ids, the same ids as the tokenizers library of Hugging Face gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "edge_rerank.h"
#include "tokenizer/encoder.h"
#include "tokenizer/template.h"

namespace edge_rerank::tokenizer {

// Pairs to encode, and where the results go; see edge_rerank_tokenizer_encode_parts.
struct PairTexts {
    const edge_rerank_text *queries, *documents;
    const uint8_t *documents_go_on; // or null, when none does
    size_t count;
};
struct PairIds {
    int32_t *ids;
    int64_t *offsets;
    int32_t *first_segments;
    uint8_t *truncated;
};

class Tokenizer {
  public:
    // Raises Error: EDGE_RERANK_BAD_ARTIFACT and EDGE_RERANK_UNSUPPORTED for the file,
    // EDGE_RERANK_INVALID_ARGUMENT for a max_length without room for a token of each text.
    Tokenizer(const std::string &path, int32_t max_length);

    // What is looked at first of each text is checked before anything is written. Safe to call
    // from several threads at once.
    void encode(const PairTexts &texts, const PairIds &result, int threads) const;

    void describe(edge_rerank_tokenizer_info &info) const;

  private:
    explicit Tokenizer(const TokenizerFile &file, int32_t max_length);

    Encoder encoder_;
    PairTemplate template_;
    int32_t max_length_;

    class Run;
    class Shared;

    size_t room() const { return size_t(max_length_) - template_.specials(); }
    size_t check(const PairTexts &texts) const;
};

} // namespace edge_rerank::tokenizer
