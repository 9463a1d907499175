#include "tokenizer/template.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/members.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr size_t kMostSpecials = 64;

struct Kept { size_t query, document; };

// What the tokenizers library does under the name "longest first": the longer text is cut to what
// the shorter one leaves, and when that is not enough both get half.
Kept longest_first(size_t query, size_t document, size_t room) {
    if (query + document <= room) {
        return {query, document};
    }
    size_t less = std::min(query, document);
    size_t more = less > room ? less : std::max(less, room - less);
    if (less + more > room) {
        less = room / 2;
        more = less + room % 2;
    }
    return query > document ? Kept{more, less} : Kept{less, more};
}
} // namespace

PairTemplate::PairTemplate(const Json *described, const std::string &where) {
    if (!is_type(described, "TemplateProcessing")) {
        unsupported(where + ": the post-processor " + type_of(described) + " is not known");
    }
    allow_members(described, {"type", "single", "pair", "special_tokens"}, where);
    member(described, "single", Json::Kind::list, where);
    const Json &tokens = member(described, "special_tokens", Json::Kind::object, where);
    for (const Json &piece : member(described, "pair", Json::Kind::list, where).list()) {
        add(piece, tokens, where);
    }
    if (!has_document_) {
        unsupported(where + ": the pair template is not query before document");
    }
}

void PairTemplate::add(const Json &piece, const Json &tokens, const std::string &where) {
    if (piece.kind() != Json::Kind::object || piece.members().size() != 1) {
        unsupported(where + ": a piece of the pair template is not known");
    }
    const Json &content = piece.members()[0].second;
    const std::string &kind = piece.members()[0].first;
    const std::string &id = text_member(&content, "id", where);
    allow_members(&content, {"id", "type_id"}, where);
    const bool first = is_first(content, where);
    if (kind == "Sequence" && id == "A" && !has_query_) {
        has_query_ = true;
        query_is_first_ = first;
    } else if (kind == "Sequence" && id == "B" && has_query_ && !has_document_) {
        has_document_ = true;
        document_is_first_ = first;
    } else if (kind == "SpecialToken") {
        add_special(id, first, tokens, where);
    } else {
        unsupported(where + ": the pair template is not query before document");
    }
}

bool PairTemplate::is_first(const Json &piece, const std::string &where) {
    const int32_t type = id_member(&piece, "type_id", where);
    if (type > 1 || type < type_) {
        unsupported(where + ": the pair template's types are not 0 before 1");
    }
    type_ = type;
    return type == 0;
}

void PairTemplate::add_special(const std::string &name, bool first, const Json &tokens,
                               const std::string &where) {
    const Json &token = member(&tokens, name, Json::Kind::object, where);
    std::vector<int32_t> &place = has_document_ ? after_ : has_query_ ? between_ : before_;
    for (const Json &id : member(&token, "ids", Json::Kind::list, where).list()) {
        if (!id.whole() || id.number() < 0 || id.number() > INT32_MAX ||
            specials() == kMostSpecials) {
            unsupported(where + ": ids of special tokens that are not ids, or too many");
        }
        place.push_back(int32_t(id.number()));
        first_specials_ += first;
    }
}

EncodedPair PairTemplate::join(const std::vector<int32_t> &query,
                               const std::vector<int32_t> &document, size_t most,
                               int32_t *ids) const {
    const Kept kept = longest_first(query.size(), document.size(), most - specials());
    int32_t *end = std::copy(before_.begin(), before_.end(), ids);
    end = std::copy_n(query.begin(), kept.query, end);
    end = std::copy(between_.begin(), between_.end(), end);
    end = std::copy_n(document.begin(), kept.document, end);
    end = std::copy(after_.begin(), after_.end(), end);
    EncodedPair pair;
    pair.size = size_t(end - ids);
    pair.first_segment = first_specials_ + (query_is_first_ ? kept.query : 0) +
                         (document_is_first_ ? kept.document : 0);
    pair.truncated = kept.query < query.size() || kept.document < document.size();
    return pair;
}

} // namespace edge_rerank::tokenizer
