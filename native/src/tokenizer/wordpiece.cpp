#include "tokenizer/wordpiece.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/bert_folding.h"
#include "tokenizer/members.h"

namespace edge_rerank::tokenizer {

namespace {
// The ids of the words: numbers from 0 on, each there once.
std::vector<int32_t> checked_ids(const TokenizerFile &file) {
    allow_members(&file.model,
                  {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"},
                  file.path);
    if (file.vocabulary_is_list) {
        unsupported(file.path + ": a WordPiece's vocabulary is a list");
    }
    std::vector<bool> seen(file.numbers.size());
    std::vector<int32_t> ids;
    for (const double number : file.numbers) {
        const bool fits = number >= 0 && number < double(seen.size());
        if (!fits || number != double(int32_t(number)) || seen[size_t(number)]) {
            unsupported(file.path + ": the vocabulary's ids are not 0, 1 and so on");
        }
        seen[size_t(number)] = true;
        ids.push_back(int32_t(number));
    }
    return ids;
}

uint32_t node_behind(const Trie &trie, std::string_view prefix, const std::string &where) {
    uint32_t node = Trie::kRoot;
    for (const char c : prefix) {
        node = trie.child(node, uint8_t(c));
        if (node == Trie::kRoot) {
            break;
        }
    }
    if (node == Trie::kRoot) {
        unsupported(where + ": no token begins with continuing_subword_prefix");
    }
    return node;
}

size_t count_chars(std::string_view text) {
    return size_t(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}
} // namespace

WordPiece::WordPiece(const TokenizerFile &file)
    : trie_(file.words, file.path), ids_(checked_ids(file)) {
    const Json *pre_tokenizer = file.parts.find("pre_tokenizer");
    if (!is_type(pre_tokenizer, "BertPreTokenizer")) {
        unsupported(file.path + ": the pre-tokenizer " + type_of(pre_tokenizer) + " is not known");
    }
    allow_members(pre_tokenizer, {"type"}, file.path);
    unknown_ = find(text_member(&file.model, "unk_token", file.path));
    if (unknown_ == kNone) {
        unsupported(file.path + ": unk_token is not in the vocabulary");
    }
    continuing_ = node_behind(
        trie_, text_member(&file.model, "continuing_subword_prefix", file.path), file.path);
    longest_ = size_t(id_member(&file.model, "max_input_chars_per_word", file.path));
}

// Words end at white space, and punctuation is a word of its own.
void WordPiece::encode(std::string_view text, std::vector<int32_t> &ids) const {
    size_t start = 0;
    for (size_t at = 0; at < text.size();) {
        const uint32_t code = char_at(text, at);
        const size_t next = at + char_size(text[at]);
        const bool space = is_space(code);
        if (space || is_bert_punctuation(code)) {
            encode_word(text.substr(start, at - start), ids);
            if (!space) {
                encode_word(text.substr(at, next - at), ids);
            }
            start = next;
        }
        at = next;
    }
    encode_word(text.substr(start), ids);
}

void WordPiece::encode_word(std::string_view word, std::vector<int32_t> &ids) const {
    if (word.size() > longest_ && count_chars(word) > longest_) {
        ids.push_back(unknown_);
        return;
    }
    const size_t first = ids.size();
    for (size_t start = 0; start < word.size();) {
        uint32_t node = start ? continuing_ : Trie::kRoot;
        int32_t longest = Trie::kNone;
        size_t end = start;
        for (size_t at = start; at < word.size();) {
            node = trie_.child(node, uint8_t(word[at++]));
            if (node == Trie::kRoot) {
                break;
            }
            if (trie_.value(node) != Trie::kNone) {
                longest = trie_.value(node);
                end = at;
            }
        }
        if (longest == Trie::kNone) { // then the whole word is unknown
            ids.resize(first);
            ids.push_back(unknown_);
            return;
        }
        ids.push_back(id(longest));
        start = end;
    }
}

size_t WordPiece::memory() const { return trie_.memory() + ids_.capacity() * sizeof ids_[0]; }

} // namespace edge_rerank::tokenizer
