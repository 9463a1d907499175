#include "tokenizer/merges.h"

#include <algorithm>
#include <queue>

namespace edge_rerank::tokenizer {

namespace {
// Up to this many, a search through all pairs after each merge is faster than a queue.
constexpr size_t kFew = 48;

int log2_of_slots(size_t count) {
    int log2 = 4;
    while ((size_t(1) << log2) < count + count / 2) {
        ++log2;
    }
    return log2;
}

// A pair that may be merged, with the place of its left token.
struct Waiting {
    Merge merge;
    uint32_t place;

    // Of a std::priority_queue, whose first is the largest: the smaller rank, then the left one.
    bool operator<(const Waiting &other) const {
        return merge.rank != other.merge.rank ? merge.rank > other.merge.rank : place > other.place;
    }
};

// The tokens of a word; a merged one stays at the place of its left part.
struct Symbol {
    int32_t id; // kGone for the right part of a merged one
    uint32_t before, behind;
};
constexpr int32_t kGone = -1;
constexpr uint32_t kEnd = UINT32_MAX;

class Queue {
  public:
    Queue(const Merges &merges, const std::vector<int32_t> &ids) : merges_(merges) {
        const auto count = uint32_t(ids.size());
        symbols_.reserve(count);
        for (uint32_t i = 0; i < count; ++i) {
            symbols_.push_back({ids[i], i ? i - 1 : kEnd, i + 1 < count ? i + 1 : kEnd});
        }
        for (uint32_t i = 0; i + 1 < count; ++i) {
            offer(i);
        }
    }

    void run() {
        while (!waiting_.empty()) {
            const Waiting top = waiting_.top();
            waiting_.pop();
            if (still_there(top)) {
                merge(top);
            }
        }
    }

    void take(std::vector<int32_t> &ids) const {
        ids.clear();
        for (const Symbol &each : symbols_) {
            if (each.id != kGone) {
                ids.push_back(each.id);
            }
        }
    }

    void take_starts(std::vector<uint32_t> &starts) const {
        starts.clear();
        for (uint32_t place = 0; place < symbols_.size(); ++place) {
            if (symbols_[place].id != kGone) {
                starts.push_back(place);
            }
        }
    }

  private:
    const Merges &merges_;
    std::vector<Symbol> symbols_;
    std::priority_queue<Waiting> waiting_;

    void offer(uint32_t place) {
        const Symbol &left = symbols_[place];
        const Merge merge = merges_.find(left.id, symbols_[left.behind].id);
        if (merge.rank != Merge::kNone) {
            waiting_.push({merge, place});
        }
    }

    // Whether the pair is the one that was meant; its parts may have become others meanwhile.
    bool still_there(const Waiting &top) const {
        const Symbol &left = symbols_[top.place];
        if (left.id == kGone || left.behind == kEnd) {
            return false;
        }
        const Merge now = merges_.find(left.id, symbols_[left.behind].id);
        return now.rank == top.merge.rank;
    }

    void merge(const Waiting &top) {
        Symbol &left = symbols_[top.place];
        Symbol &right = symbols_[left.behind];
        left.id = top.merge.id;
        left.behind = right.behind;
        right.id = kGone;
        if (left.behind != kEnd) {
            symbols_[left.behind].before = top.place;
            offer(top.place);
        }
        if (left.before != kEnd) {
            offer(left.before);
        }
    }
};
} // namespace

Merges::Merges(size_t count) {
    const int log2 = log2_of_slots(count);
    slots_.assign(size_t(1) << log2, {kEmpty, {Merge::kNone, 0}});
    mask_ = slots_.size() - 1;
    shift_ = 64 - log2;
}

void Merges::add(int32_t left, int32_t right, Merge merge) {
    const uint64_t key = key_of(left, right);
    size_t at = start_of(key);
    while (slots_[at].key != kEmpty && slots_[at].key != key) {
        at = (at + 1) & mask_;
    }
    slots_[at] = {key, merge};
}

void Merges::apply(std::vector<int32_t> &ids) const {
    if (ids.size() <= kFew) {
        apply_to_few(ids);
    } else {
        apply_to_many(ids);
    }
}

void Merges::apply_to_few(std::vector<int32_t> &ids) const {
    Merge pairs[kFew]; // of each token with the one behind it
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
        pairs[i] = find(ids[i], ids[i + 1]);
    }
    for (size_t count = ids.size(); count > 1; --count) {
        const Merge *end = pairs + count - 1;
        const Merge *first =
            std::min_element(pairs, const_cast<Merge *>(end),
                             [](const Merge &a, const Merge &b) { return a.rank < b.rank; });
        if (first->rank == Merge::kNone) {
            break;
        }
        const auto at = size_t(first - pairs);
        ids[at] = first->id;
        ids.erase(ids.begin() + std::ptrdiff_t(at) + 1);
        std::copy(pairs + at + 1, pairs + count - 1, pairs + at);
        if (at + 1 < ids.size()) {
            pairs[at] = find(ids[at], ids[at + 1]);
        }
        if (at > 0) {
            pairs[at - 1] = find(ids[at - 1], ids[at]);
        }
    }
}

void Merges::apply_to_many(std::vector<int32_t> &ids) const {
    Queue queue(*this, ids);
    queue.run();
    queue.take(ids);
}

void Merges::apply(std::vector<int32_t> &ids, std::vector<uint32_t> &starts) const {
    Queue queue(*this, ids);
    queue.run();
    queue.take(ids);
    queue.take_starts(starts);
}

} // namespace edge_rerank::tokenizer
