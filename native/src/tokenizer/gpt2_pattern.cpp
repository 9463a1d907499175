#include "tokenizer/gpt2_pattern.h"

#include "base/utf8.h"
#include "tokenizer/classes.h"

namespace edge_rerank::tokenizer {

namespace {
CharClass class_at(std::string_view text, size_t at) { return class_of(char_at(text, at)); }

// The size of the contraction that the text begins with, or 0.
size_t contraction(std::string_view text) {
    if (text.size() < 2 || text[0] != '\'') {
        return 0;
    }
    if (std::string_view("stmd").find(text[1]) != std::string_view::npos) {
        return 2;
    }
    const std::string_view two = text.substr(1, 2);
    return two == "re" || two == "ve" || two == "ll" ? 3 : 0;
}

size_t run_end(std::string_view text, size_t at, CharClass kind) {
    while (at < text.size() && class_at(text, at) == kind) {
        at += char_size(text[at]);
    }
    return at;
}

// White space ends before its last character where something comes behind that: a blank there is
// the next word's.
size_t space_end(std::string_view text, size_t start) {
    const size_t end = run_end(text, start, CharClass::space);
    const size_t last = char_before(text, end);
    return end < text.size() && last > start ? last : end;
}
} // namespace

size_t gpt2_word_end(std::string_view text, size_t start) {
    const size_t contracted = contraction(text.substr(start, 3));
    if (contracted) {
        return start + contracted;
    }
    const size_t first = start + (text[start] == ' ');
    if (first == text.size()) {
        return first;
    }
    const CharClass kind = class_at(text, first);
    return kind == CharClass::space ? space_end(text, start) : run_end(text, first, kind);
}

} // namespace edge_rerank::tokenizer
