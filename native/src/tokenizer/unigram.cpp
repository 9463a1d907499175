#include "tokenizer/unigram.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/members.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr std::string_view kBlank = "\xE2\x96\x81"; // U+2581, for the blank before a word
constexpr double kUnknownPenalty = 10;
constexpr uint32_t kUnseen = UINT32_MAX;

void check_metaspace(const Json *described, const std::string &where) {
    if (!is_type(described, "Metaspace")) {
        unsupported(where + ": the pre-tokenizer " + type_of(described) + " is not known");
    }
    allow_members(described, {"type", "replacement", "prepend_scheme", "split", "add_prefix_space"},
                  where);
    const bool known = text_member(described, "replacement", where) == kBlank &&
                       text_member(described, "prepend_scheme", where) == "always" &&
                       bool_member(described, "split", where);
    const Json *prefix = described->find("add_prefix_space");
    if (!known || (prefix && (prefix->kind() != Json::Kind::boolean || !prefix->boolean()))) {
        unsupported(where + ": a Metaspace other than with U+2581 always put before");
    }
}

void check_pre_tokenizer(const Json *described, const std::string &where) {
    if (!is_type(described, "Sequence")) {
        check_metaspace(described, where);
        return;
    }
    allow_members(described, {"type", "pretokenizers"}, where);
    const auto &steps = member(described, "pretokenizers", Json::Kind::list, where).list();
    if (steps.size() != 1) {
        unsupported(where + ": several pre-tokenizers");
    }
    check_metaspace(&steps[0], where);
}

// The id of the token for what is unknown; checks the rest of the model's members on the way.
int32_t check_model(const TokenizerFile &file) {
    allow_members(&file.model, {"type", "unk_id", "byte_fallback"}, file.path);
    if (!file.vocabulary_is_list) {
        unsupported(file.path + ": a Unigram's vocabulary is no list");
    }
    const Json *fallback = file.model.find("byte_fallback");
    if (fallback && (fallback->kind() != Json::Kind::boolean || fallback->boolean())) {
        unsupported(file.path + ": byte_fallback is not known");
    }
    const int32_t unknown = id_member(&file.model, "unk_id", file.path);
    if (size_t(unknown) >= file.words.size()) {
        unsupported(file.path + ": unk_id is outside of the vocabulary");
    }
    return unknown;
}
} // namespace

Unigram::Unigram(const TokenizerFile &file)
    : trie_(file.words, file.path), scores_(file.numbers), unknown_(check_model(file)) {
    check_pre_tokenizer(file.parts.find("pre_tokenizer"), file.path);
    unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - kUnknownPenalty;
}

// Words begin at each blank: the text's own and the one before it.
void Unigram::encode(std::string_view text, std::vector<int32_t> &ids) const {
    if (text.empty()) {
        return;
    }
    std::string word;
    std::vector<Step> steps;
    const auto starts_word = [&](size_t at) {
        return text[at] == ' ' || text.substr(at, kBlank.size()) == kBlank;
    };
    size_t at = 0;
    while (at < text.size()) {
        word = kBlank;
        if (starts_word(at)) {
            at += char_size(text[at]);
        }
        const size_t start = at;
        while (at < text.size() && !starts_word(at)) {
            ++at;
        }
        word.append(text.substr(start, at - start));
        encode_word(word, steps, ids);
    }
}

// Sums and comparisons in the order in which the tokenizers library has them: of equal scores the
// first one stays.
void Unigram::best_steps(std::string_view word, std::vector<Step> &steps) const {
    steps.assign(word.size() + 1, {0, kUnseen, 0});
    for (size_t start = 0; start < word.size();) {
        const double so_far = steps[start].score;
        const auto offer = [&](size_t end, double score, int32_t id) {
            Step &step = steps[end];
            if (step.start == kUnseen || score + so_far > step.score) {
                step = {score + so_far, uint32_t(start), id};
            }
        };
        const size_t next = start + char_size(word[start]);
        bool known = false;
        uint32_t node = Trie::kRoot;
        for (size_t end = start; end < word.size();) {
            node = trie_.child(node, uint8_t(word[end++]));
            if (node == Trie::kRoot) {
                break;
            }
            const int32_t id = trie_.value(node);
            if (id != Trie::kNone) {
                offer(end, scores_[size_t(id)], id);
                known = known || end == next;
            }
        }
        if (!known) {
            offer(next, unknown_score_, unknown_);
        }
        start = next;
    }
}

void Unigram::encode_word(std::string_view word, std::vector<Step> &steps,
                          std::vector<int32_t> &ids) const {
    best_steps(word, steps);
    const size_t first = ids.size();
    for (size_t end = word.size(); end > 0;) {
        size_t start = steps[end].start;
        int32_t id = steps[end].id;
        if (id == unknown_) { // unknown ones side by side are one, which may be a token after all
            while (start > 0 && steps[start].id == unknown_) {
                start = steps[start].start;
            }
            const int32_t whole = trie_.find(word.substr(start, end - start));
            id = whole == Trie::kNone ? unknown_ : whole;
        }
        ids.push_back(id);
        end = start;
    }
    std::reverse(ids.begin() + std::ptrdiff_t(first), ids.end());
}

size_t Unigram::memory() const { return trie_.memory() + scores_.capacity() * sizeof scores_[0]; }

} // namespace edge_rerank::tokenizer
