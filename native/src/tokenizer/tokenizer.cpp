#include "tokenizer/tokenizer.h"

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/file.h"

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
    const size_t least = template_.specials() + 2;
    if (max_length < 0 || size_t(max_length) < least) {
        invalid_argument("max_length is " + std::to_string(max_length) + "; at least " +
                         std::to_string(least) +
                         " are needed: " + std::to_string(template_.specials()) +
                         " special tokens and one of each text");
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
    result.offsets[0] = 0;
    for (size_t i = 0; i < texts.count; ++i) {
        if (!repeats(texts.queries, i)) {
            query.clear();
            encode_text({texts.queries[i].data, texts.queries[i].size}, query);
        }
        document.clear();
        encode_text({texts.documents[i].data, texts.documents[i].size}, document);
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
void Tokenizer::encode_text(std::string_view text, std::vector<int32_t> &ids) const {
    for (size_t at = 0; at < text.size();) {
        const Needles::Match found = added_.plain().find(text, at);
        if (found.start > at) {
            encode_part(normalizer_->apply(text.substr(at, found.start - at)), ids);
        }
        if (found.end > found.start) {
            ids.push_back(found.id);
        }
        at = found.end;
    }
}

void Tokenizer::encode_part(std::string_view part, std::vector<int32_t> &ids) const {
    for (size_t at = 0; at < part.size();) {
        const Needles::Match found = added_.normalized().find(part, at);
        if (found.start > at) {
            model_->encode(part.substr(at, found.start - at), ids);
        }
        if (found.end > found.start) {
            ids.push_back(found.id);
        }
        at = found.end;
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
