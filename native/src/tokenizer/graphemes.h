// Grapheme clusters: what a reader takes for one character (Unicode's annex 29, extended clusters).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace edge_rerank::tokenizer {

enum class Grapheme : uint8_t {
    other,
    control,
    extend,       // joins to what is before it; also within an Indic conjunct
    extend_apart, // joins to what is before it, and ends a conjunct
    linker,       // extends, and makes a conjunct of two consonants
    spacing,
    joiner, // the zero width joiner
    prepend,
    consonant,
    pictograph,
    l, // Hangul: leading consonant, vowel, trailing consonant, syllables without and with the last
    v,
    t,
    lv,
    lvt,
};

struct GraphemeRange {
    uint32_t first, last;
    Grapheme kind;
};

Grapheme grapheme_of(uint32_t code);

// Where the cluster ends that begins at `start`, which lies before the end of the text.
size_t cluster_end(std::string_view text, size_t start);

} // namespace edge_rerank::tokenizer
