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

// The id of a token that is described as ["name", id].
int32_t token_id(const Json &object, std::string_view name, const std::string &where) {
    const auto &parts = member(&object, name, Json::Kind::list, where).list();
    const bool sound = parts.size() == 2 && parts[1].kind() == Json::Kind::number &&
                       parts[1].whole() && parts[1].number() >= 0 && parts[1].number() <= INT32_MAX;
    if (!sound) {
        unsupported(where + ": \"" + std::string(name) + "\" is not a token and its id");
    }
    return int32_t(parts[1].number());
}
} // namespace

PairTemplate::PairTemplate(const Json *described, const std::string &where) {
    read(described, where);
    if (!has_document_) {
        unsupported(where + ": the pair template is not query before document");
    }
}

void PairTemplate::read(const Json *described, const std::string &where) {
    const std::string type = known_type(
        described, "post-processor",
        {"BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"},
        where);
    if (has_document_ && type != "ByteLevel") {
        unsupported(where + ": the post-processor " + type + " after another one");
    }
    if (type == "Sequence") {
        read_sequence(*described, where);
    } else if (type == "TemplateProcessing") {
        read_template(*described, where);
    } else if (type != "ByteLevel") { // which has to do with offsets alone
        read_bert(*described, type == "RobertaProcessing", where);
    }
}

void PairTemplate::read_sequence(const Json &described, const std::string &where) {
    allow_members(&described, {"type", "processors"}, where);
    for (const Json &each : member(&described, "processors", Json::Kind::list, where).list()) {
        read(&each, where);
    }
}

void PairTemplate::read_template(const Json &described, const std::string &where) {
    allow_members(&described, {"type", "single", "pair", "special_tokens"}, where);
    member(&described, "single", Json::Kind::list, where);
    const Json &tokens = member(&described, "special_tokens", Json::Kind::object, where);
    for (const Json &piece : member(&described, "pair", Json::Kind::list, where).list()) {
        add(piece, tokens, where);
    }
}

// Both put cls before, and sep behind each text; RoBERTa's has two between the texts, and no types.
void PairTemplate::read_bert(const Json &described, bool roberta, const std::string &where) {
    allow_members(&described,
                  roberta
                      ? std::initializer_list<std::string_view>{"type", "sep", "cls",
                                                                "trim_offsets", "add_prefix_space"}
                      : std::initializer_list<std::string_view>{"type", "sep", "cls"},
                  where);
    const int32_t cls = token_id(described, "cls", where), sep = token_id(described, "sep", where);
    before_ = {cls};
    between_ = {sep};
    after_ = {sep};
    if (roberta) {
        between_.push_back(sep);
    }
    document_is_first_ = roberta;
    first_specials_ = roberta ? specials() : 2;
    has_query_ = has_document_ = true;
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
