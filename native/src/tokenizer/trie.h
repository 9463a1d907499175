// Words, and a trie of them for finding all that a text begins with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edge_rerank::tokenizer {

// Texts one behind the other: a vocabulary of 128,000 would take six times the memory as strings.
class Words {
  public:
    size_t size() const { return ends_.size(); }
    std::string_view operator[](size_t index) const {
        const size_t start = index ? ends_[index - 1] : 0;
        return std::string_view(bytes_).substr(start, ends_[index] - start);
    }
    const std::string &bytes() const { return bytes_; }

    // Where the next word is written to, before it is ended.
    std::string &open() { return bytes_; }
    void end_word() { ends_.push_back(uint32_t(bytes_.size())); }

  private:
    std::string bytes_;
    std::vector<uint32_t> ends_;
};

// Nodes are numbered level by level, so that the children of a node are neighbours, in the order of
// their bytes, and begin where those of the node before end.
class Trie {
  public:
    static constexpr uint32_t kRoot = 0; // as a child: none, for the root is nobody's
    static constexpr int32_t kNone = -1;

    // The place of each word among the words is its value. Raises Error with
    // EDGE_RERANK_UNSUPPORTED for an empty word, and for one that is there twice.
    Trie(const Words &words, const std::string &where);

    // The node behind `node` for a byte, or kRoot.
    uint32_t child(uint32_t node, uint8_t byte) const {
        if (node == kRoot) {
            return first_[byte];
        }
        const uint32_t start = children_[node], end = children_[node + 1];
        return end - start > kFew ? search(start, end, byte) : scan(start, end, byte);
    }

    // The value of the word that ends at a node, or kNone.
    int32_t value(uint32_t node) const { return values_[node]; }

    // The value of a word, or kNone.
    int32_t find(std::string_view word) const;

    // The size of the longest word, in bytes.
    size_t longest() const { return longest_; }

    size_t memory() const;

  private:
    static constexpr uint32_t kFew = 12;

    std::vector<uint8_t> labels_;
    std::vector<uint32_t> children_; // one more than there are nodes
    std::vector<int32_t> values_;
    uint32_t first_[256] = {};
    size_t longest_ = 0;

    uint32_t scan(uint32_t start, uint32_t end, uint8_t byte) const {
        for (uint32_t node = start; node < end; ++node) {
            if (labels_[node] == byte) {
                return node;
            }
        }
        return kRoot;
    }
    uint32_t search(uint32_t start, uint32_t end, uint8_t byte) const;
};

} // namespace edge_rerank::tokenizer
