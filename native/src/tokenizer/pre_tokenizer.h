// How normalised text is cut into words, and how these are written.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"

namespace edge_rerank::tokenizer {

// Where words end.
enum class Cut : uint8_t {
    nowhere,     // all of the text is one
    spaces,      // at white space, which goes
    punctuation, // the same, and punctuation is a word of its own, as BERT has it
    gpt2,        // where GPT-2's pattern says, and nothing goes
};

// How a vocabulary writes blanks.
enum class Blanks : uint8_t {
    plain,
    metaspace, // as U+2581
    bytes,     // all bytes as characters that can be seen, a blank as U+0120
};

// What gets a blank before it that begins with none.
enum class Prefix : uint8_t {
    nothing,
    first, // the text with which what the caller gave begins; where the cut is nowhere
    text,  // each text between added tokens, before it is cut
    parts, // each part that the cut gives
};

// What a tokenizer.json describes as its pre-tokenizer.
struct PreTokenizer {
    Cut cut = Cut::nowhere;
    Blanks blanks = Blanks::plain;
    Prefix prefix = Prefix::nothing;
    bool splits = false; // whether a word begins at each blank of a part, for Blanks::metaspace

    // Raises Error with EDGE_RERANK_UNSUPPORTED for one that is not known to the last detail;
    // `where` begins its text.
    static PreTokenizer read(const Json *described, const std::string &where);
};

} // namespace edge_rerank::tokenizer
