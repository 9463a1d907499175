// The model "BPE": byte-pair encoding, which puts the characters of a word together, pair by pair.
#pragma once

#include <atomic>
#include <memory>

#include "tokenizer/byte_tokens.h"
#include "tokenizer/merges.h"
#include "tokenizer/model.h"
#include "tokenizer/trie.h"

namespace edge_rerank::tokenizer {

class Bpe : public Model {
  public:
    // Raises Error with EDGE_RERANK_UNSUPPORTED for dropout, for affixes of words, and for merges
    // of what is not in the vocabulary.
    explicit Bpe(const TokenizerFile &file);

    void encode(std::string_view word, Scratch &scratch, std::vector<int32_t> &ids) const override;
    void encode_beginning(std::string_view word, size_t most, Scratch &scratch,
                          std::vector<int32_t> &ids) const override;
    int32_t find(std::string_view token) const override { return id(trie_.find(token)); }
    int32_t size() const override { return int32_t(ids_.size()); }
    const char *name() const override { return "bpe"; }
    size_t memory() const override;

  private:
    // What became of a word of the vocabulary; it is found out when it is met first.
    enum Whole : uint8_t { unknown, yes, no };

    // What the merges of a word start from.
    struct Symbols {
        std::vector<int32_t> ids;
        std::string spelled;
        std::vector<size_t> places; // where each begins in what is spelled, and the end of all
    };

    Trie trie_;
    std::vector<int32_t> ids_;
    Merges merges_;
    int32_t unknown_ = kNone;
    bool fuses_unknown_, falls_back_, ignores_merges_;
    ByteTokens bytes_;
    std::unique_ptr<std::atomic<uint8_t>[]> whole_;

    int32_t id(int32_t word) const { return word == Trie::kNone ? kNone : ids_[size_t(word)]; }
    Symbols symbols_of(std::string_view word) const;
    size_t settle(const Symbols &symbols, size_t from, size_t end, std::vector<int32_t> &ids) const;
    bool may_go_on(std::string_view text) const;
    void read_merges(const TokenizerFile &file);
    void merge_word(std::string_view word, Scratch &scratch, std::vector<int32_t> &ids) const;
};

} // namespace edge_rerank::tokenizer
