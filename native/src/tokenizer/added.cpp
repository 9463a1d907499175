#include "tokenizer/added.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "tokenizer/members.h"

namespace edge_rerank::tokenizer {

namespace {
// Each is compared at each place where one of them may begin.
constexpr size_t kMostTokens = 256;
} // namespace

void Needles::add(std::string text, int32_t id) {
    begins_[static_cast<unsigned char>(text[0])] = true;
    const auto place = std::find_if(needles_.begin(), needles_.end(), [&](const Needle &each) {
        return each.text.size() < text.size();
    });
    needles_.insert(place, {std::move(text), id});
}

bool Needles::has(std::string_view text) const {
    return std::any_of(needles_.begin(), needles_.end(),
                       [&](const Needle &each) { return each.text == text; });
}

Needles::Match Needles::find(std::string_view text, size_t start) const {
    for (size_t at = start; at < text.size() && !needles_.empty(); ++at) {
        if (!begins_[static_cast<unsigned char>(text[at])]) {
            continue;
        }
        for (const Needle &needle : needles_) {
            if (text.compare(at, needle.text.size(), needle.text) == 0) {
                return {at, at + needle.text.size(), needle.id};
            }
        }
    }
    return {text.size(), text.size(), 0};
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
        if (bool_member(&each, "single_word", where) || bool_member(&each, "lstrip", where) ||
            bool_member(&each, "rstrip", where)) {
            unsupported(where + ": the added token " + text + " depends on what is around it");
        }
        const int32_t known = model.find(text);
        if (id != (known == Model::kNone ? next++ : known)) {
            unsupported(where + ": the added token " + text + " has an unexpected id");
        }
        const bool normalized = bool_member(&each, "normalized", where);
        const std::string sought = normalized ? normalizer.apply(text) : text;
        Needles &needles = normalized ? normalized_ : plain_;
        if (sought.empty() || needles.has(sought) || !contents.insert(text).second) {
            unsupported(where + ": an added token is empty or there twice");
        }
        needles.add(sought, id);
    }
}

} // namespace edge_rerank::tokenizer
