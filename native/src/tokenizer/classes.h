// Classes of characters that patterns name, as the tokenizers library has them.
#pragma once

#include <cstdint>

#include "tokenizer/ranges.h"

namespace edge_rerank::tokenizer {

enum class CharClass : uint8_t { other, letter, number, space };

struct ClassRange {
    uint32_t first, last;
    CharClass kind;
};

// The class under \p{L}, \p{N} and \s, which have no character in common.
CharClass class_of(uint32_t code);

// Whether \w matches it.
bool is_word_part(uint32_t code);

} // namespace edge_rerank::tokenizer
