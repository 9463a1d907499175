// Goes through the words of a text, as a pre-tokenizer cuts it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tokenizer/pre_tokenizer.h"

namespace edge_rerank::tokenizer {

class WordReader {
  public:
    // `first`: whether the text, which lies between added tokens, is the beginning of what the
    // caller gave. Both live on.
    WordReader(const PreTokenizer &how, std::string_view text, bool first);

    // Moves to the next word; false when there is none.
    bool next();
    std::string_view word() const { return word_; }
    // How much of the text comes behind the word.
    size_t left() const { return text_.size() - at_ + part_.size() - part_at_; }

  private:
    const PreTokenizer &how_;
    std::string_view text_;
    const bool first_;
    size_t at_ = 0; // of what is not cut yet
    std::string_view part_;
    size_t part_at_ = 0;
    bool part_prefix_ = false; // whether the part lacks the blank that is to come before it
    std::string_view word_;
    std::string prefixed_, written_;

    bool next_part();
    size_t part_end() const;
    void next_blank_word();
    void write_bytes();
};

} // namespace edge_rerank::tokenizer
