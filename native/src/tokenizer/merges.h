// The merges of byte-pair encoding: which two tokens become one, and in what order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edge_rerank::tokenizer {

struct Merge {
    uint32_t rank; // the smaller, the sooner; kNone where two tokens stay two
    int32_t id;

    static constexpr uint32_t kNone = UINT32_MAX;
};

class Merges {
  public:
    // Room for this many.
    explicit Merges(size_t count);

    // A pair that is added again takes the place of the former one.
    void add(int32_t left, int32_t right, Merge merge);

    Merge find(int32_t left, int32_t right) const {
        const uint64_t key = key_of(left, right);
        for (size_t at = start_of(key);; at = (at + 1) & mask_) {
            if (slots_[at].key == key) {
                return slots_[at].merge;
            }
            if (slots_[at].key == kEmpty) {
                return {Merge::kNone, 0};
            }
        }
    }

    // Puts the tokens of a word together, whose ids are given.
    void apply(std::vector<int32_t> &ids) const;

    // The same, and where each begins among those that were given.
    void apply(std::vector<int32_t> &ids, std::vector<uint32_t> &starts) const;

    size_t memory() const { return slots_.capacity() * sizeof slots_[0]; }

  private:
    static constexpr uint64_t kEmpty = UINT64_MAX;
    struct Slot {
        uint64_t key;
        Merge merge;
    };

    std::vector<Slot> slots_; // a hash table that is never full
    size_t mask_;
    int shift_;

    static uint64_t key_of(int32_t left, int32_t right) {
        return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
    }
    size_t start_of(uint64_t key) const { return size_t(key * 0x9E3779B97F4A7C15u >> shift_); }

    void apply_to_few(std::vector<int32_t> &ids) const;
    void apply_to_many(std::vector<int32_t> &ids) const;
};

} // namespace edge_rerank::tokenizer
