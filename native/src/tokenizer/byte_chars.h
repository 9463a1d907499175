// GPT-2's alphabet, which has a character that can be seen for every byte.
#pragma once

#include <cstdint>
#include <string_view>

namespace edge_rerank::tokenizer {

// The character that stands for a byte: most of Latin-1 for themselves, the others from U+0100 on.
std::string_view byte_char(char byte);

} // namespace edge_rerank::tokenizer
