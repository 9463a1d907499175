#include "tokenizer/steady.h"

#include <string>

#include "base/utf8.h"
#include "tokenizer/bert_folding.h"
#include "tokenizer/forms.h"
#include "tokenizer/graphemes.h"

namespace edge_rerank::tokenizer {

namespace {
// Two before the place and one behind it: each has steady neighbours then, or lies at the edge.
constexpr int kBefore = 2;
constexpr size_t kMostTried = 1024;

bool stands_apart(Grapheme kind) {
    switch (kind) {
        case Grapheme::other:
        case Grapheme::consonant:
        case Grapheme::pictograph:
        case Grapheme::lv:
        case Grapheme::lvt: return true;
        default: return false;
    }
}

std::string_view char_view(std::string_view text, size_t at) {
    return text.substr(at, char_size(text[at]));
}

// Whether the characters around a place are steady, and stay so in the normaliser's steps.
bool can_cut(std::string_view text, size_t place, const Normalizer &normalizer) {
    size_t at = place;
    for (int i = 0; i < kBefore; ++i) {
        if (at == 0) {
            return false;
        }
        at = char_before(text, at);
    }
    for (int i = 0; i < kBefore + 1; ++i) {
        std::string one(char_view(text, at));
        if (!is_steady(one) || !normalizer.keeps_steady(one)) {
            return false;
        }
        at += char_size(text[at]);
    }
    return true;
}
} // namespace

bool is_steady(uint32_t code) {
    if (code < 0x80) {
        return code > ' ' && code < 0x7F;
    }
    return !is_space(code) && stands_apart(grapheme_of(code)) && !is_in_forms(code) &&
           !is_passed_by_bert(code);
}

bool is_steady(std::string_view text) {
    for (size_t at = 0; at < text.size(); at += char_size(text[at])) {
        if (!is_steady(char_at(text, at))) {
            return false;
        }
    }
    return !text.empty();
}

size_t place_to_cut(std::string_view text, const Normalizer &normalizer, const Needles &added) {
    size_t place = text.size();
    for (size_t tried = 0; tried < kMostTried && place > text.size() / 2; ++tried) {
        place = char_before(text, place);
        if (can_cut(text, place, normalizer) && !added.touch(text, place)) {
            return place;
        }
    }
    return 0;
}

} // namespace edge_rerank::tokenizer
