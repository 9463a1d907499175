// The model "WordPiece": a word is cut into the longest tokens that fit, from its beginning on.
#pragma once

#include "tokenizer/model.h"
#include "tokenizer/trie.h"

namespace edge_rerank::tokenizer {

class WordPiece : public Model {
  public:
    // Raises Error with EDGE_RERANK_UNSUPPORTED where the file describes it otherwise than BERT's.
    explicit WordPiece(const TokenizerFile &file);

    void encode(std::string_view word, Scratch &scratch, std::vector<int32_t> &ids) const override;
    void encode_beginning(std::string_view word, size_t most, Scratch &scratch,
                          std::vector<int32_t> &ids) const override;
    int32_t find(std::string_view token) const override { return id(trie_.find(token)); }
    int32_t size() const override { return int32_t(ids_.size()); }
    const char *name() const override { return "wordpiece"; }
    size_t memory() const override;

  private:
    Trie trie_;
    std::vector<int32_t> ids_;
    int32_t unknown_;
    uint32_t continuing_; // the trie's node behind ##, with which all but the first token begin
    size_t longest_;      // in characters

    int32_t id(int32_t word) const { return word == Trie::kNone ? kNone : ids_[size_t(word)]; }
};

} // namespace edge_rerank::tokenizer
