#include "tokenizer/unigram.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/members.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr double kUnknownPenalty = 10;
constexpr uint32_t kUnseen = UINT32_MAX;

// The id of the token for what is unknown; checks the rest of the model's members on the way.
int32_t check_model(const TokenizerFile &file) {
    allow_members(&file.model, {"type", "unk_id", "byte_fallback"}, file.path);
    if (!file.vocabulary_is_list) {
        unsupported(file.path + ": a Unigram's vocabulary is no list");
    }
    const int32_t unknown = id_member(&file.model, "unk_id", file.path);
    if (size_t(unknown) >= file.words.size()) {
        unsupported(file.path + ": unk_id is outside of the vocabulary");
    }
    return unknown;
}
} // namespace

Unigram::Unigram(const TokenizerFile &file)
    : trie_(file.words, file.path), scores_(file.numbers), unknown_(check_model(file)),
      falls_back_(optional_bool(&file.model, "byte_fallback", false, file.path)), bytes_(*this) {
    unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - kUnknownPenalty;
}

// Sums and comparisons in the order in which the tokenizers library has them: of equal scores the
// first one stays.
void Unigram::best_steps(std::string_view word, std::vector<Scratch::Step> &steps) const {
    steps.assign(word.size() + 1, {0, kUnseen, 0});
    for (size_t start = 0; start < word.size();) {
        const double so_far = steps[start].score;
        const auto offer = [&](size_t end, double score, int32_t id) {
            Scratch::Step &step = steps[end];
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

void Unigram::encode(std::string_view word, Scratch &scratch, std::vector<int32_t> &ids) const {
    best_steps(word, scratch.steps);
    take_steps(word, word.size(), scratch.steps, ids);
}

void Unigram::encode_beginning(std::string_view word, size_t, Scratch &scratch,
                               std::vector<int32_t> &ids) const {
    if (word.size() > trie_.longest()) {
        best_steps(word, scratch.steps);
        take_steps(word, settled_end(word, scratch.steps), scratch.steps, ids);
    }
}

// The last place that the best ways to all places near the end have in common. Whatever comes
// behind: a token ends at one of these places, and what comes before it is the best way there.
size_t Unigram::settled_end(std::string_view word, const std::vector<Scratch::Step> &steps) const {
    std::vector<bool> on_way(word.size() + 1);
    for (size_t at = word.size(); at > 0; at = steps[at].start) {
        on_way[at] = true;
    }
    size_t settled = word.size();
    for (size_t end = word.size() - trie_.longest() + 1; end < word.size(); ++end) {
        size_t at = steps[end].start == kUnseen ? word.size() : end;
        while (at > 0 && !on_way[at]) {
            at = steps[at].start;
        }
        settled = std::min(settled, at);
    }
    while (settled > 0 && steps[settled].id == unknown_) { // which may be one with the next
        settled = steps[settled].start;
    }
    return settled;
}

void Unigram::take_steps(std::string_view word, size_t end, const std::vector<Scratch::Step> &steps,
                         std::vector<int32_t> &ids) const {
    const size_t first = ids.size();
    while (end > 0) {
        size_t start = steps[end].start;
        int32_t id = steps[end].id;
        if (id == unknown_) { // unknown ones side by side are one, which may be a token after all
            while (start > 0 && steps[start].id == unknown_) {
                start = steps[start].start;
            }
            const std::string_view part = word.substr(start, end - start);
            const int32_t whole = trie_.find(part);
            if (whole == Trie::kNone && falls_back_ && bytes_.have(part)) {
                bytes_.append_backwards(part, ids);
                end = start;
                continue;
            }
            id = whole == Trie::kNone ? unknown_ : whole;
        }
        ids.push_back(id);
        end = start;
    }
    std::reverse(ids.begin() + std::ptrdiff_t(first), ids.end());
}

size_t Unigram::memory() const { return trie_.memory() + scores_.capacity() * sizeof scores_[0]; }

} // namespace edge_rerank::tokenizer
