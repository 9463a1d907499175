// The normaliser "Precompiled": sentencepiece's rules of replacement, in their compiled form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edge_rerank::tokenizer {

class Charsmap {
  public:
    // Raises Error where the text is not base64 of a charsmap; `where` begins its text.
    Charsmap(std::string_view base64, const std::string &where);

    // Appends `text`, with the rules applied, to `result`. Raises Error where a rule points outside
    // of the file.
    void apply(std::string_view text, std::string &result) const;

  private:
    std::string where_;
    std::vector<uint32_t> trie_; // a double array, as darts-clone lays it out
    std::string replacements_;   // each with a zero byte behind it

    bool replace(std::string_view part, std::string &result) const;
    uint32_t unit(uint32_t place) const;
    [[noreturn]] void fail(const char *what) const;
};

} // namespace edge_rerank::tokenizer
