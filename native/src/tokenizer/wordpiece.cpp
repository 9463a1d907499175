#include "tokenizer/wordpiece.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/members.h"

namespace edge_rerank::tokenizer {

namespace {
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
    allow_members(&file.model,
                  {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"},
                  file.path);
    unknown_ = find(text_member(&file.model, "unk_token", file.path));
    if (unknown_ == kNone) {
        unsupported(file.path + ": unk_token is not in the vocabulary");
    }
    continuing_ = node_behind(
        trie_, text_member(&file.model, "continuing_subword_prefix", file.path), file.path);
    longest_ = size_t(id_member(&file.model, "max_input_chars_per_word", file.path));
}

void WordPiece::encode(std::string_view word, Scratch &, std::vector<int32_t> &ids) const {
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

// One that is longer than any that is looked up is unknown, and stays so.
void WordPiece::encode_beginning(std::string_view word, size_t, Scratch &,
                                 std::vector<int32_t> &ids) const {
    if (count_chars(word) > longest_) {
        ids.push_back(unknown_);
    }
}

size_t WordPiece::memory() const { return trie_.memory() + ids_.capacity() * sizeof ids_[0]; }

} // namespace edge_rerank::tokenizer
