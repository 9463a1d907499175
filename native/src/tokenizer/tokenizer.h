// Texts to token ids, the same ids as the tokenizers library of Hugging Face gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "edge_rerank.h"
#include "tokenizer/added.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/template.h"

namespace edge_rerank::tokenizer {

// Pairs to encode, and where the results go; see edge_rerank_tokenizer_encode.
struct PairTexts {
    const edge_rerank_text *queries, *documents;
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

    // All texts are checked before anything is written. Safe to call from several threads at once.
    void encode(const PairTexts &texts, const PairIds &result) const;

    void describe(edge_rerank_tokenizer_info &info) const;

  private:
    explicit Tokenizer(const TokenizerFile &file, int32_t max_length);

    std::unique_ptr<Normalizer> normalizer_;
    PreTokenizer pre_tokenizer_;
    std::unique_ptr<Model> model_;
    AddedTokens added_;
    PairTemplate template_;
    int32_t max_length_;

    void check_first(const std::string &where) const;
    void encode_text(std::string_view text, Scratch &scratch, std::vector<int32_t> &ids) const;
    void encode_part(std::string_view part, bool first, Scratch &scratch,
                     std::vector<int32_t> &ids) const;
};

} // namespace edge_rerank::tokenizer
