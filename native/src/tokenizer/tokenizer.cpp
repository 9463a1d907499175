#include "tokenizer/tokenizer.h"

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/file.h"
#include "tokenizer/words.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr size_t kLargestText = size_t(1) << 30;

std::string_view checked(const edge_rerank_text &text, const char *name, size_t index) {
    const auto fail = [&](const std::string &what) {
        invalid_argument("pair " + std::to_string(index) + ": the " + name + " " + what);
    };
    if (text.size > kLargestText) {
        fail("has " + std::to_string(text.size) + " bytes; expected up to 2^30");
    }
    if (!text.data && text.size) {
        fail("is null");
    }
    const std::string_view view(text.data, text.size);
    const size_t fault = first_fault(view);
    if (fault != view.size()) {
        fail("is not UTF-8 at byte " + std::to_string(fault));
    }
    return view;
}

// One query with many documents is checked and encoded once, however long it is.
bool repeats(const edge_rerank_text *texts, size_t index) {
    return index && texts[index].data == texts[index - 1].data &&
           texts[index].size == texts[index - 1].size;
}
} // namespace

Tokenizer::Tokenizer(const std::string &path, int32_t max_length)
    : Tokenizer(TokenizerFile::read(path), max_length) {}

Tokenizer::Tokenizer(const TokenizerFile &file, int32_t max_length)
    : normalizer_(make_normalizer(file.parts.find("normalizer"), file.path)),
      pre_tokenizer_(PreTokenizer::read(file.parts.find("pre_tokenizer"), file.path)),
      model_(make_model(file)),
      added_(file.parts.find("added_tokens"), *model_, *normalizer_, file.path),
      template_(file.parts.find("post_processor"), file.path), max_length_(max_length) {
    for (const auto &part : file.parts.members()) {
        // What the others say has no bearing on the ids of pairs that are cut here.
        static const std::string_view known[] = {"version",        "truncation", "padding",
                                                 "added_tokens",   "normalizer", "pre_tokenizer",
                                                 "post_processor", "decoder"};
        bool is_known = false;
        for (const std::string_view name : known) {
            is_known = is_known || part.first == name;
        }
        if (!is_known) {
            unsupported(file.path + ": \"" + part.first + "\" is not known");
        }
    }
    check_first(file.path);
    const size_t least = template_.specials() + 2;
    if (max_length < 0 || size_t(max_length) < least) {
        invalid_argument("max_length is " + std::to_string(max_length) + "; at least " +
                         std::to_string(least) +
                         " are needed: " + std::to_string(template_.specials()) +
                         " special tokens and one of each text");
    }
}

// With prepend_scheme first the library asks where a text's first character stems from, which is
// known here only where nothing before it can have gone.
void Tokenizer::check_first(const std::string &where) const {
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

void Tokenizer::encode(const PairTexts &texts, const PairIds &result) const {
    for (size_t i = 0; i < texts.count; ++i) {
        if (!repeats(texts.queries, i)) {
            checked(texts.queries[i], "query", i);
        }
        checked(texts.documents[i], "document", i);
    }
    std::vector<int32_t> query, document;
    Scratch scratch;
    result.offsets[0] = 0;
    for (size_t i = 0; i < texts.count; ++i) {
        if (!repeats(texts.queries, i)) {
            query.clear();
            encode_text({texts.queries[i].data, texts.queries[i].size}, scratch, query);
        }
        document.clear();
        encode_text({texts.documents[i].data, texts.documents[i].size}, scratch, document);
        const EncodedPair pair =
            template_.join(query, document, size_t(max_length_), result.ids + result.offsets[i]);
        result.offsets[i + 1] = result.offsets[i] + int64_t(pair.size);
        if (result.first_segments) {
            result.first_segments[i] = int32_t(pair.first_segment);
        }
        if (result.truncated) {
            result.truncated[i] = pair.truncated;
        }
    }
}

// Added tokens are found first in the text as it is; what is between them is normalised, and others
// are found in that.
void Tokenizer::encode_text(std::string_view text, Scratch &scratch,
                            std::vector<int32_t> &ids) const {
    for (NeedleReader tokens(added_.plain(), text); tokens.next();) {
        if (!tokens.between().empty()) {
            encode_part(normalizer_->apply(tokens.between()), tokens.start() == 0, scratch, ids);
        }
        if (tokens.token()) {
            ids.push_back(tokens.token()->id);
        }
    }
}

void Tokenizer::encode_part(std::string_view part, bool first, Scratch &scratch,
                            std::vector<int32_t> &ids) const {
    for (NeedleReader tokens(added_.normalized(), part); tokens.next();) {
        for (WordReader words(pre_tokenizer_, tokens.between(), first && tokens.start() == 0);
             words.next();) {
            model_->encode(words.word(), scratch, ids);
        }
        if (tokens.token()) {
            ids.push_back(tokens.token()->id);
        }
    }
}

void Tokenizer::describe(edge_rerank_tokenizer_info &info) const {
    info.max_length = max_length_;
    info.special_tokens = int32_t(template_.specials());
    info.vocabulary = model_->size();
    info.memory_bytes = model_->memory();
    info.model = model_->name();
}

} // namespace edge_rerank::tokenizer
