// The model "Unigram": of all ways to cut a word into tokens, the one with the largest score.
#pragma once

#include <vector>

#include "tokenizer/byte_tokens.h"
#include "tokenizer/model.h"
#include "tokenizer/trie.h"

namespace edge_rerank::tokenizer {

class Unigram : public Model {
  public:
    // Raises Error with EDGE_RERANK_UNSUPPORTED where there is no token for what is unknown.
    explicit Unigram(const TokenizerFile &file);

    void encode(std::string_view word, Scratch &scratch, std::vector<int32_t> &ids) const override;
    void encode_beginning(std::string_view word, size_t most, Scratch &scratch,
                          std::vector<int32_t> &ids) const override;
    int32_t find(std::string_view token) const override { return trie_.find(token); }
    int32_t size() const override { return int32_t(scores_.size()); }
    const char *name() const override { return "unigram"; }
    size_t memory() const override;

  private:
    Trie trie_;
    std::vector<double> scores_;
    int32_t unknown_;
    bool falls_back_;
    ByteTokens bytes_;
    double unknown_score_;

    void take_steps(std::string_view word, size_t end, const std::vector<Scratch::Step> &steps,
                    std::vector<int32_t> &ids) const;
    size_t settled_end(std::string_view word, const std::vector<Scratch::Step> &steps) const;
    void best_steps(std::string_view word, std::vector<Scratch::Step> &steps) const;
};

} // namespace edge_rerank::tokenizer
