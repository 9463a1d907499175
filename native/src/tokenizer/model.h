// Cuts normalised text into words, and words into tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/file.h"

namespace edge_rerank::tokenizer {

class Model {
  public:
    static constexpr int32_t kNone = -1;

    virtual ~Model() = default;

    // Appends the ids of a normalised text, which is sound UTF-8.
    virtual void encode(std::string_view text, std::vector<int32_t> &ids) const = 0;

    // The id of a token, or kNone.
    virtual int32_t find(std::string_view token) const = 0;
    virtual int32_t size() const = 0;
    virtual const char *name() const = 0;
    virtual size_t memory() const = 0;
};

// Makes the model and the pre-tokenizer that the file describes. Raises Error with
// EDGE_RERANK_UNSUPPORTED for what is not known to the last detail.
std::unique_ptr<Model> make_model(const TokenizerFile &file);

} // namespace edge_rerank::tokenizer
