// What happens to a text before it is cut into words.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"

namespace edge_rerank::tokenizer {

class Normalizer {
  public:
    virtual ~Normalizer() = default;

    // The result; `text` is sound UTF-8, and so is what comes of it.
    virtual std::string apply(std::string_view text) const = 0;

    // Whether the first character of what comes of a text always stems from the text's first one.
    virtual bool keeps_start() const { return true; }

    // Whether what becomes of a steady character (tokenizer/steady.h) between others depends on it
    // alone, and is steady again, if more steps are to come; puts that into its place.
    virtual bool keeps_steady(std::string &character) const;
};

// Makes the normaliser that a tokenizer.json describes. Raises Error with EDGE_RERANK_UNSUPPORTED
// for one that is not known to the last detail; `where` begins its text.
std::unique_ptr<Normalizer> make_normalizer(const Json *described, const std::string &where);

} // namespace edge_rerank::tokenizer
