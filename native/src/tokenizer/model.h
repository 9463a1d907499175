// Cuts words into tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/file.h"

namespace edge_rerank::tokenizer {

// Working memory that a caller keeps from word to word.
struct Scratch {
    // The best way to cut what comes before a place in the word.
    struct Step {
        double score;
        uint32_t start; // where its last token begins
        int32_t id;
    };

    std::vector<Step> steps;
    std::vector<int32_t> symbols;
};

class Model {
  public:
    static constexpr int32_t kNone = -1;

    virtual ~Model() = default;

    // Appends the ids of a word, which is sound UTF-8 and not empty.
    virtual void encode(std::string_view word, Scratch &scratch,
                        std::vector<int32_t> &ids) const = 0;

    // Appends those ids that every word has which begins so, up to `most` of them in `ids`.
    virtual void encode_beginning(std::string_view word, size_t most, Scratch &scratch,
                                  std::vector<int32_t> &ids) const = 0;

    // The id of a token, or kNone.
    virtual int32_t find(std::string_view token) const = 0;
    virtual int32_t size() const = 0;
    virtual const char *name() const = 0;
    virtual size_t memory() const = 0;
};

// Makes the model that the file describes. Raises Error with EDGE_RERANK_UNSUPPORTED for what is
// not known to the last detail.
std::unique_ptr<Model> make_model(const TokenizerFile &file);

// The ids of the words of a vocabulary that is no list: the numbers from 0 on, each there once.
// Raises Error with EDGE_RERANK_UNSUPPORTED where they are others.
std::vector<int32_t> checked_ids(const TokenizerFile &file);

} // namespace edge_rerank::tokenizer
