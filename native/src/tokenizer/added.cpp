#include "tokenizer/added.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/classes.h"
#include "tokenizer/members.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr size_t kMostTokens = 1 << 16;

size_t spaces_start(std::string_view text, size_t end) {
    while (end > 0 && is_space(char_at(text, char_before(text, end)))) {
        end = char_before(text, end);
    }
    return end;
}

size_t spaces_end(std::string_view text, size_t start) {
    while (start < text.size() && is_space(char_at(text, start))) {
        start += char_size(text[start]);
    }
    return start;
}
} // namespace

void Needles::add(std::string_view text, const AddedToken &token) {
    begins_[static_cast<unsigned char>(text[0])] = true;
    words_.open().append(text);
    words_.end_word();
    longest_ = std::max(longest_, text.size());
    tokens_.push_back(token);
}

void Needles::finish(const std::string &where) {
    if (!tokens_.empty()) {
        trie_ = std::make_unique<Trie>(words_, where + ": added tokens");
    }
}

Needles::Match Needles::at(std::string_view text, size_t start) const {
    Match match;
    uint32_t node = Trie::kRoot;
    for (size_t end = start; end < text.size();) {
        node = trie_->child(node, uint8_t(text[end++]));
        if (node == Trie::kRoot) {
            break;
        }
        if (trie_->value(node) != Trie::kNone) {
            match = {end, &tokens_[size_t(trie_->value(node))]};
        }
    }
    return match;
}

// Whether one that begins at `start` may end at or behind `place`.
bool Needles::may_reach(std::string_view text, size_t start, size_t place) const {
    uint32_t node = Trie::kRoot;
    for (size_t end = start; end < text.size();) {
        node = trie_->child(node, uint8_t(text[end++]));
        if (node == Trie::kRoot) {
            return false;
        }
        if (end >= place && trie_->value(node) != Trie::kNone) {
            return true;
        }
    }
    return true;
}

// The first place before `place` at which one may begin that ends there or behind; `place` if none.
size_t Needles::touching(std::string_view text, size_t place) const {
    for (size_t start = place - std::min(place, longest_); start < place; ++start) {
        if (may_begin(text[start]) && may_reach(text, start, place)) {
            return start;
        }
    }
    return place;
}

// White space before what may be a token may belong to it.
size_t Needles::settled(std::string_view text) const {
    size_t place = text.size();
    for (size_t start; (start = touching(text, place)) < place;) {
        place = spaces_start(text, start);
    }
    return place;
}

bool NeedleReader::next() {
    for (size_t at = searched_; at < text_.size(); ++at) {
        if (!needles_.may_begin(text_[at])) {
            continue;
        }
        const Needles::Match match = needles_.at(text_, at);
        if (!match.token) {
            continue;
        }
        searched_ = match.end;
        if (!match.token->alone || stands_alone(at, match.end)) {
            take(at, match.end, *match.token);
            return true;
        }
        at = match.end - 1;
    }
    searched_ = text_.size();
    token_ = nullptr;
    between_ends_at(text_.size());
    return !std::exchange(done_, true);
}

bool NeedleReader::stands_alone(size_t start, size_t end) const {
    const bool left = start == 0 || !is_word_part(char_at(text_, char_before(text_, start)));
    return left && (end == text_.size() || !is_word_part(char_at(text_, end)));
}

// White space that goes with one token may hold the next one, which counts all the same.
void NeedleReader::take(size_t start, size_t end, const AddedToken &token) {
    if (token.takes_left) {
        start = std::max(spaces_start(text_, start), behind_);
    }
    between_ends_at(start);
    behind_ = token.takes_right ? spaces_end(text_, end) : end;
    token_ = &token;
}

void NeedleReader::between_ends_at(size_t end) {
    start_ = behind_;
    size_ = end > start_ ? end - start_ : 0;
}

AddedTokens::AddedTokens(const Json *described, const Model &model, const Normalizer &normalizer,
                         const std::string &where) {
    if (!described || described->kind() != Json::Kind::list ||
        described->list().size() > kMostTokens) {
        unsupported(where + ": \"added_tokens\" is missing, no list, or longer than any known");
    }
    std::set<std::string> contents;
    int32_t next = model.size(); // the library numbers those that the vocabulary lacks itself
    for (const Json &each : described->list()) {
        const int32_t id = id_member(&each, "id", where);
        const std::string &text = text_member(&each, "content", where);
        allow_members(&each,
                      {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"},
                      where);
        bool_member(&each, "special", where);
        const AddedToken token{id, bool_member(&each, "single_word", where),
                               bool_member(&each, "lstrip", where),
                               bool_member(&each, "rstrip", where)};
        const int32_t known = model.find(text);
        if (id != (known == Model::kNone ? next++ : known)) {
            unsupported(where + ": the added token " + text + " has an unexpected id");
        }
        const bool normalized = bool_member(&each, "normalized", where);
        const std::string sought = normalized ? normalizer.apply(text) : text;
        if (sought.empty() || !contents.insert(text).second) {
            unsupported(where + ": an added token is empty or there twice");
        }
        (normalized ? normalized_ : plain_).add(sought, token);
    }
    plain_.finish(where);
    normalized_.finish(where);
}

} // namespace edge_rerank::tokenizer
