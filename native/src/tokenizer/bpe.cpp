#include "tokenizer/bpe.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/members.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr size_t kBeginning = 1024; // symbols of a long word that are looked at together

void check_members(const TokenizerFile &file) {
    const Json *model = &file.model;
    allow_members(model,
                  {"type", "dropout", "unk_token", "continuing_subword_prefix",
                   "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"},
                  file.path);
    const Json *dropout = model->find("dropout");
    const bool drops = dropout && dropout->kind() != Json::Kind::null &&
                       !(dropout->kind() == Json::Kind::number && dropout->number() == 0);
    if (drops) {
        unsupported(file.path + ": dropout, with which a text has other tokens each time");
    }
    for (const char *affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
        if (!optional_text(model, affix, "", file.path).empty()) {
            unsupported(file.path + ": a BPE with " + affix);
        }
    }
}
} // namespace

Bpe::Bpe(const TokenizerFile &file)
    : trie_(file.words, file.path), ids_(checked_ids(file)), merges_(file.merges.size() / 2),
      fuses_unknown_(optional_bool(&file.model, "fuse_unk", false, file.path)),
      falls_back_(optional_bool(&file.model, "byte_fallback", false, file.path)),
      ignores_merges_(optional_bool(&file.model, "ignore_merges", false, file.path)), bytes_(*this),
      whole_(new std::atomic<uint8_t>[ids_.size()]()) {
    check_members(file);
    const std::string unknown = optional_text(&file.model, "unk_token", "", file.path);
    unknown_ = find(unknown);
    if (unknown_ == kNone && !unknown.empty()) {
        unsupported(file.path + ": unk_token is not in the vocabulary");
    }
    read_merges(file);
}

void Bpe::read_merges(const TokenizerFile &file) {
    std::string both;
    for (size_t i = 0; i + 1 < file.merges.size(); i += 2) {
        const std::string_view left = file.merges[i], right = file.merges[i + 1];
        both.assign(left).append(right);
        const int32_t left_id = find(left), right_id = find(right), id = find(both);
        if (left_id == kNone || right_id == kNone || id == kNone) {
            unsupported(file.path + ": the merge of \"" + std::string(left) + "\" and \"" +
                        std::string(right) + "\" is of what the vocabulary lacks");
        }
        merges_.add(left_id, right_id, {uint32_t(i / 2), id});
    }
}

// Most words of most texts are in the vocabulary, and come out whole: then there is nothing to
// merge. Threads that find it out at the same time find the same.
void Bpe::encode(std::string_view word, Scratch &scratch, std::vector<int32_t> &ids) const {
    const int32_t place = trie_.find(word);
    if (place == Trie::kNone) {
        merge_word(word, scratch, ids);
        return;
    }
    std::atomic<uint8_t> &whole = whole_[size_t(place)];
    uint8_t state = ignores_merges_ ? yes : whole.load(std::memory_order_relaxed);
    if (state == yes) {
        ids.push_back(id(place));
        return;
    }
    const size_t first = ids.size();
    merge_word(word, scratch, ids);
    if (state == unknown) {
        state = ids.size() == first + 1 && ids.back() == id(place) ? yes : no;
        whole.store(state, std::memory_order_relaxed);
    }
}

// What is unknown, and where it comes among the others, is as in the tokenizers library.
void Bpe::merge_word(std::string_view word, Scratch &scratch, std::vector<int32_t> &ids) const {
    std::vector<int32_t> &symbols = scratch.symbols;
    symbols.clear();
    bool pending = false; // one that is unknown comes next
    for (size_t at = 0; at < word.size(); at += char_size(word[at])) {
        const std::string_view character = word.substr(at, char_size(word[at]));
        const int32_t known = find(character);
        if (known != kNone) {
            if (pending) {
                symbols.push_back(unknown_);
            }
            pending = false;
            symbols.push_back(known);
        } else if (falls_back_ && bytes_.have(character)) {
            bytes_.append(character, symbols);
        } else if (unknown_ != kNone) {
            if (pending && !fuses_unknown_) {
                symbols.push_back(unknown_);
            }
            pending = true;
        }
    }
    if (pending) {
        symbols.push_back(unknown_);
    }
    merges_.apply(symbols);
    ids.insert(ids.end(), symbols.begin(), symbols.end());
}

// A token boundary of a word divides it: each side has the tokens that it has alone, for nothing
// was merged over the boundary, and the merges on each side come in the order that they have alone.
// So the tokens of a word's beginning up to a boundary are sure, once there is sure to be one.
void Bpe::encode_beginning(std::string_view word, size_t most, Scratch &,
                           std::vector<int32_t> &ids) const {
    if (word.size() <= trie_.longest()) {
        return;
    }
    const Symbols symbols = symbols_of(word);
    size_t from = 0, size = kBeginning;
    while (ids.size() < most) {
        const size_t end = std::min(from + size, symbols.ids.size());
        const size_t settled = settle(symbols, from, end, ids);
        from += settled;
        size = settled ? size : 2 * size;
        if (!settled && end == symbols.ids.size()) {
            return;
        }
    }
}

// What the merges start from, up to the first character that is unknown: it may be one with the
// next. Bytes that stand in for a character are spelled as their tokens are.
Bpe::Symbols Bpe::symbols_of(std::string_view word) const {
    Symbols symbols;
    const auto add = [&](int32_t symbol, std::string_view spelled) {
        symbols.ids.push_back(symbol);
        symbols.places.push_back(symbols.spelled.size());
        symbols.spelled.append(spelled);
    };
    for (size_t at = 0; at < word.size(); at += char_size(word[at])) {
        const std::string_view character = word.substr(at, char_size(word[at]));
        const int32_t known = find(character);
        if (known != kNone) {
            add(known, character);
        } else if (falls_back_ && bytes_.have(character)) {
            for (const char byte : character) {
                add(bytes_.id(byte), ByteTokens::name(byte));
            }
        } else {
            break;
        }
    }
    symbols.places.push_back(symbols.spelled.size());
    return symbols;
}

// Appends the tokens that these symbols are sure to have, and says how many symbols that are.
// Whatever comes behind: some token begins at one of the places from which a token may go on beyond
// the end, and what comes before it is known. It has to be the same for all of these places.
size_t Bpe::settle(const Symbols &symbols, size_t from, size_t end,
                   std::vector<int32_t> &ids) const {
    const auto first = symbols.ids.begin() + std::ptrdiff_t(from);
    const std::string_view spelled =
        std::string_view(symbols.spelled).substr(0, symbols.places[end]);
    std::vector<int32_t> tokens(first, symbols.ids.begin() + std::ptrdiff_t(end)), others;
    std::vector<uint32_t> starts, unused;
    merges_.apply(tokens, starts);
    size_t common = tokens.size();
    for (size_t i = end; i-- > from;) {
        const std::string_view behind = spelled.substr(symbols.places[i]);
        if (behind.size() >= trie_.longest()) {
            break;
        }
        if (may_go_on(behind)) {
            others.assign(first, symbols.ids.begin() + std::ptrdiff_t(i));
            merges_.apply(others, unused);
            const auto differs = std::mismatch(others.begin(), others.end(), tokens.begin(),
                                               tokens.begin() + std::ptrdiff_t(common));
            common = size_t(differs.first - others.begin());
        }
    }
    ids.insert(ids.end(), tokens.begin(), tokens.begin() + std::ptrdiff_t(common));
    return common == tokens.size() ? end - from : starts[common];
}

// Whether a token begins with the text and goes on.
bool Bpe::may_go_on(std::string_view text) const {
    uint32_t node = Trie::kRoot;
    for (const char byte : text) {
        node = trie_.child(node, uint8_t(byte));
        if (node == Trie::kRoot) {
            return false;
        }
    }
    return true;
}

size_t Bpe::memory() const {
    return trie_.memory() + ids_.capacity() * sizeof ids_[0] + merges_.memory() + ids_.size();
}

} // namespace edge_rerank::tokenizer
