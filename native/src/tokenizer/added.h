// Tokens that are found in a text before anything else is done with it, such as [SEP].
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/trie.h"

namespace edge_rerank::tokenizer {

struct AddedToken {
    int32_t id;
    bool alone;                   // only where no part of a word is beside it
    bool takes_left, takes_right; // whether white space beside it goes with it
};

// Some texts to look for in another.
class Needles {
  public:
    void add(std::string_view text, const AddedToken &token);
    // To be called when all are there. Raises Error for one that is there twice.
    void finish(const std::string &where);

    struct Match {
        size_t end = 0; // 0: there is none
        const AddedToken *token = nullptr;
    };
    // The longest that begins at a place.
    Match at(std::string_view text, size_t start) const;
    bool empty() const { return tokens_.empty(); }
    // Whether one of them may end at a place or lie on both sides of it; what comes behind `text`
    // is not known.
    bool touch(std::string_view text, size_t place) const { return touching(text, place) < place; }
    // The last place up to which it is known which of them there are.
    size_t settled(std::string_view text) const;

    bool may_begin(char byte) const { return begins_[static_cast<unsigned char>(byte)]; }

  private:
    Words words_;
    std::vector<AddedToken> tokens_;
    std::unique_ptr<Trie> trie_;
    size_t longest_ = 0;

    size_t touching(std::string_view text, size_t place) const;
    bool may_reach(std::string_view text, size_t start, size_t place) const;
    bool begins_[256] = {};
};

// Goes through a text from one of them to the next: the leftmost first, the longest where several
// begin together.
class NeedleReader {
  public:
    NeedleReader(const Needles &needles, std::string_view text) : needles_(needles), text_(text) {}

    // Moves to the next token, or to the end of the text; false when that was reached before.
    bool next();
    // What lies before the token and behind the one before it; may be empty.
    std::string_view between() const { return text_.substr(start_, size_); }
    size_t start() const { return start_; }
    // Null at the end of the text.
    const AddedToken *token() const { return token_; }

  private:
    const Needles &needles_;
    std::string_view text_;
    size_t searched_ = 0, behind_ = 0; // up to where it was looked for them; behind the last one
    size_t start_ = 0, size_ = 0;
    const AddedToken *token_ = nullptr;
    bool done_ = false;

    bool stands_alone(size_t start, size_t end) const;
    void take(size_t start, size_t end, const AddedToken &token);
    void between_ends_at(size_t end);
};

class AddedTokens {
  public:
    // Raises Error with EDGE_RERANK_UNSUPPORTED where the library would give a token another id
    // than the file does.
    AddedTokens(const Json *described, const Model &model, const Normalizer &normalizer,
                const std::string &where);

    // Found in the text as it is given, and in what is between those when it is normalised.
    const Needles &plain() const { return plain_; }
    const Needles &normalized() const { return normalized_; }

  private:
    Needles plain_, normalized_;
};

} // namespace edge_rerank::tokenizer
