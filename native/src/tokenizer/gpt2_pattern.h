// GPT-2's pattern of words: contractions, letters, numbers, the rest, each with a blank before it.
#pragma once

#include <cstddef>
#include <string_view>

namespace edge_rerank::tokenizer {

constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Where the word ends that begins at `start`, which lies before the end of the text.
size_t gpt2_word_end(std::string_view text, size_t start);

} // namespace edge_rerank::tokenizer
