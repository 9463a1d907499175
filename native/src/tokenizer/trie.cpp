#include "tokenizer/trie.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr size_t kPrefix = 8;

// A word's place among the words, and its first bytes, which decide most comparisons.
struct Key {
    uint64_t prefix;
    uint32_t index;
};

uint64_t prefix_of(std::string_view word) {
    uint64_t prefix = 0;
    for (size_t i = 0; i < kPrefix; ++i) {
        prefix = prefix << 8 | (i < word.size() ? static_cast<unsigned char>(word[i]) : 0);
    }
    return prefix;
}

std::vector<uint32_t> sorted(const Words &words) {
    std::vector<Key> keys(words.size());
    for (uint32_t i = 0; i < keys.size(); ++i) {
        keys[i] = {prefix_of(words[i]), i};
    }
    std::sort(keys.begin(), keys.end(), [&](const Key &a, const Key &b) {
        return a.prefix != b.prefix ? a.prefix < b.prefix : words[a.index] < words[b.index];
    });
    std::vector<uint32_t> order(keys.size());
    std::transform(keys.begin(), keys.end(), order.begin(),
                   [](const Key &key) { return key.index; });
    return order;
}

// The words that go through a node, in the order of the sorted ones.
struct Range { uint32_t start, end; };
} // namespace

Trie::Trie(const Words &words, const std::string &where) {
    const std::vector<uint32_t> order = sorted(words);
    labels_.push_back(0);
    std::vector<Range> level{{0, uint32_t(order.size())}}, next;
    for (size_t depth = 0; !level.empty(); ++depth, level.swap(next)) {
        next.clear();
        longest_ = depth;
        for (Range range : level) {
            int32_t value = kNone;
            while (range.start < range.end && words[order[range.start]].size() == depth) {
                if (depth == 0 || value != kNone) {
                    unsupported(where + ": an empty word, or one that is there twice");
                }
                value = int32_t(order[range.start++]);
            }
            values_.push_back(value);
            children_.push_back(uint32_t(labels_.size()));
            while (range.start < range.end) {
                const char byte = words[order[range.start]][depth];
                const uint32_t start = range.start;
                while (range.start < range.end && words[order[range.start]][depth] == byte) {
                    ++range.start;
                }
                labels_.push_back(uint8_t(byte));
                next.push_back({start, range.start});
            }
        }
    }
    children_.push_back(uint32_t(labels_.size()));
    for (uint32_t node = children_[kRoot]; node < children_[kRoot + 1]; ++node) {
        first_[labels_[node]] = node;
    }
    labels_.shrink_to_fit();
    children_.shrink_to_fit();
    values_.shrink_to_fit();
}

uint32_t Trie::search(uint32_t start, uint32_t end, uint8_t byte) const {
    const uint8_t *labels = labels_.data();
    const void *found = std::memchr(labels + start, byte, end - start);
    return found ? uint32_t(static_cast<const uint8_t *>(found) - labels) : kRoot;
}

int32_t Trie::find(std::string_view word) const {
    uint32_t node = kRoot;
    for (const char c : word) {
        node = child(node, uint8_t(c));
        if (node == kRoot) {
            return kNone;
        }
    }
    return values_[node];
}

size_t Trie::memory() const {
    return labels_.capacity() + children_.capacity() * sizeof children_[0] +
           values_.capacity() * sizeof values_[0];
}

} // namespace edge_rerank::tokenizer
