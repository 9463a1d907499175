// Tokens that are found in a text before anything else is done with it, such as [SEP].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"

namespace edge_rerank::tokenizer {

// Some texts, and the leftmost of them in another, the longest where several begin together.
class Needles {
  public:
    struct Match {
        size_t start, end;
        int32_t id;
    };

    void add(std::string text, int32_t id);
    bool has(std::string_view text) const;
    // The first match from `start` on; one of no size, at the end of the text, when there is none.
    Match find(std::string_view text, size_t start) const;

  private:
    struct Needle {
        std::string text;
        int32_t id;
    };

    std::vector<Needle> needles_; // longest first
    bool begins_[256] = {};
};

class AddedTokens {
  public:
    // Raises Error with EDGE_RERANK_UNSUPPORTED for tokens that take blanks or word bounds into
    // account, and where the library would give them other ids than the file does.
    AddedTokens(const Json *described, const Model &model, const Normalizer &normalizer,
                const std::string &where);

    // Found in the text as it is given, and in what is between those when it is normalised.
    const Needles &plain() const { return plain_; }
    const Needles &normalized() const { return normalized_; }

  private:
    Needles plain_, normalized_;
};

} // namespace edge_rerank::tokenizer
