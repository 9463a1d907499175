// The normal forms of Unicode, lower case and the removal of accents, as the tokenizers library has
// them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/ranges.h"

namespace edge_rerank::tokenizer {

struct Decomposition {
    uint32_t first, last;
    int32_t value; // how far off the one character lies, or kSeveral and a place among the parts
};
struct Composition { uint32_t first, second, whole; };
struct MarkRange {
    uint32_t first, last;
    uint8_t order; // the combining class: marks side by side are put into the order of theirs
};
struct LowerRange {
    uint32_t first, last, step; // every one, or every other one
    int32_t shift;
};

constexpr int32_t kSeveral = 1 << 21;

struct Form { bool compatible, composed; };
constexpr Form kNfc{false, true}, kNfd{false, false}, kNfkc{true, true}, kNfkd{true, false};

// Whether some form takes a character apart, puts it in order among others or behind another one
// into one; syllables of Hangul left out.
bool is_in_forms(uint32_t code);

std::string normal_form(std::string_view text, Form form);
std::string lower_case(std::string_view text);
std::string without_accents(std::string_view text);

} // namespace edge_rerank::tokenizer
