#include "tokenizer/encoder.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/steady.h"
#include "tokenizer/words.h"

namespace edge_rerank::tokenizer {

namespace {
// Most texts have fewer bytes a token; more are looked at where these are not enough.
constexpr size_t kBytesOfToken = 8, kLeastLook = 4096, kGrowth = 4;
// Where a word ends is sure when this many bytes are known behind it: patterns look at two
// characters.
constexpr size_t kBehindWord = 16;
} // namespace

Encoder::Encoder(const TokenizerFile &file)
    : normalizer_(make_normalizer(file.parts.find("normalizer"), file.path)),
      pre_tokenizer_(PreTokenizer::read(file.parts.find("pre_tokenizer"), file.path)),
      model_(make_model(file)),
      added_(file.parts.find("added_tokens"), *model_, *normalizer_, file.path) {
    check_first(file.path);
}

// With prepend_scheme first the library asks where a text's first character stems from, which is
// known here only where nothing before it can have gone.
void Encoder::check_first(const std::string &where) const {
    if (pre_tokenizer_.prefix != Prefix::first) {
        return;
    }
    if (!normalizer_->keeps_start()) {
        unsupported(where + ": prepend_scheme first with a normalizer that may take off a text's "
                            "beginning");
    }
    if (!added_.normalized().empty()) {
        unsupported(where + ": prepend_scheme first with added tokens that are normalized");
    }
}

size_t Encoder::first_look(size_t most) { return kBytesOfToken * most + kLeastLook; }

bool Encoder::encode(Text &text, size_t most, Scratch &scratch, std::vector<int32_t> &ids) const {
    const Wanted beginning{most, true, scratch, ids};
    for (size_t size = first_look(most); size < text.size() / 2; size *= kGrowth) {
        if (encode_beginning(text.first(size), beginning)) {
            return true;
        }
    }
    if (text.goes_on()) {
        return encode_beginning(text.all(), beginning);
    }
    ids.clear();
    encode_text(text.all(), {most, false, scratch, ids});
    ids.resize(std::min(ids.size(), most));
    return true;
}

bool Encoder::encode_beginning(std::string_view text, const Wanted &wanted) const {
    wanted.ids.clear();
    const size_t end = place_to_cut(text, *normalizer_, added_.plain());
    encode_text(text.substr(0, end), wanted);
    if (!wanted.enough()) {
        return false;
    }
    wanted.ids.resize(wanted.most);
    return true;
}

// Added tokens are found first in the text as it is; what is between them is normalised, and others
// are found in that.
void Encoder::encode_text(std::string_view text, const Wanted &wanted) const {
    for (NeedleReader tokens(added_.plain(), text); !wanted.enough() && tokens.next();) {
        Wanted here = wanted;
        here.beginning = wanted.beginning && !tokens.token();
        if (!tokens.between().empty()) {
            encode_part(normalizer_->apply(tokens.between()), tokens.start() == 0, here);
        }
        if (tokens.token()) {
            wanted.ids.push_back(tokens.token()->id);
        }
    }
}

void Encoder::encode_part(std::string_view part, bool first, const Wanted &wanted) const {
    if (wanted.beginning) {
        part = part.substr(0, added_.normalized().settled(part));
    }
    for (NeedleReader tokens(added_.normalized(), part); !wanted.enough() && tokens.next();) {
        Wanted here = wanted;
        here.beginning = wanted.beginning && !tokens.token();
        encode_words(tokens.between(), first && tokens.start() == 0, here);
        if (tokens.token()) {
            wanted.ids.push_back(tokens.token()->id);
        }
    }
}

void Encoder::encode_words(std::string_view text, bool first, const Wanted &wanted) const {
    WordReader words(pre_tokenizer_, text, first);
    while (!wanted.enough() && words.next()) {
        if (!wanted.beginning || words.left() >= kBehindWord) {
            model_->encode(words.word(), wanted.scratch, wanted.ids);
            continue;
        }
        if (words.left() == 0) {
            model_->encode_beginning(words.word(), wanted.most, wanted.scratch, wanted.ids);
        }
        return;
    }
}

} // namespace edge_rerank::tokenizer
