// One text to token ids, of which no more is read than is needed for as many as are wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added.h"
#include "tokenizer/file.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/text.h"

namespace edge_rerank::tokenizer {

class Encoder {
  public:
    explicit Encoder(const TokenizerFile &file);

    const Model &model() const { return *model_; }

    // Puts into `ids` what the text has, or the first `most`, whatever comes behind. False where it
    // goes on, and what is there is not enough to say.
    bool encode(Text &text, size_t most, Scratch &scratch, std::vector<int32_t> &ids) const;

    // How many of a text's first bytes are looked at first.
    static size_t first_look(size_t most);

  private:
    // What is to be made of a text.
    struct Wanted {
        size_t most;
        bool beginning; // whether only ids count that do not depend on what comes behind the text
        Scratch &scratch;
        std::vector<int32_t> &ids;

        bool enough() const { return ids.size() >= most; }
    };

    std::unique_ptr<Normalizer> normalizer_;
    PreTokenizer pre_tokenizer_;
    std::unique_ptr<Model> model_;
    AddedTokens added_;

    void check_first(const std::string &where) const;
    bool encode_beginning(std::string_view text, const Wanted &wanted) const;
    void encode_text(std::string_view text, const Wanted &wanted) const;
    void encode_part(std::string_view part, bool first, const Wanted &wanted) const;
    void encode_words(std::string_view text, bool first, const Wanted &wanted) const;
};

} // namespace edge_rerank::tokenizer
