// What the normaliser and the pre-tokenizer of BERT make of a text: cleaned, in lower case, without
// accents, with blanks around ideographs; and cut at blanks and around punctuation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/ranges.h"

namespace edge_rerank::tokenizer {

enum class Folding : uint8_t {
    gone,       // and marks on both sides of it are neighbours
    apart,      // gone as well, but marks on both sides are not put into one order
    space,      // becomes a blank
    ideograph,  // gets blanks around it
    ideographs, // the same, for another one; they are listed, beginning with the value
    shift,      // becomes the character that is further on by the value
    table,      // becomes what is listed, beginning with the value
    mark,       // stays, in the order of combining classes, of which the value is its own
};

struct FoldingRange {
    uint32_t first, last;
    Folding kind;
    int32_t value;
};

// The text as BertNormalizer gives it with all that it can do.
std::string fold_for_bert(std::string_view text);

// The same with case and accents kept, as cased models have it.
std::string clean_for_bert(std::string_view text);

// Whether the normaliser takes a character away, or puts it in order among its neighbours.
bool is_passed_by_bert(uint32_t code);

bool is_bert_punctuation(uint32_t code);

} // namespace edge_rerank::tokenizer
