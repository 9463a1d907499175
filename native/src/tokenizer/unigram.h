// The model "Unigram": of all ways to cut a word into tokens, the one with the largest score.
#pragma once

#include <vector>

#include "tokenizer/model.h"
#include "tokenizer/trie.h"

namespace edge_rerank::tokenizer {

class Unigram : public Model {
  public:
    // Raises Error with EDGE_RERANK_UNSUPPORTED where the file describes it otherwise than those
    // of DeBERTa-v2 and v3 do: blanks as U+2581 before each word, and a token for what is unknown.
    explicit Unigram(const TokenizerFile &file);

    void encode(std::string_view text, std::vector<int32_t> &ids) const override;
    int32_t find(std::string_view token) const override { return trie_.find(token); }
    int32_t size() const override { return int32_t(scores_.size()); }
    const char *name() const override { return "unigram"; }
    size_t memory() const override;

  private:
    // The best way to cut what comes before a place in the word.
    struct Step {
        double score;
        uint32_t start; // where its last token begins; kUnseen where nothing ends here
        int32_t id;
    };

    Trie trie_;
    std::vector<double> scores_;
    int32_t unknown_;
    double unknown_score_;

    void best_steps(std::string_view word, std::vector<Step> &steps) const;
    void encode_word(std::string_view word, std::vector<Step> &steps,
                     std::vector<int32_t> &ids) const;
};

} // namespace edge_rerank::tokenizer
