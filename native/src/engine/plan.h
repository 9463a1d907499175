// Places pairs in a piece, which fits the buffers, and cuts it into blocks of rows for the threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/call.h"

namespace edge_rerank::engine {

// Tokens that look at one another: a pair, or one of its texts in models that read them apart. They
// are rows without gaps; their keys begin at a multiple of 16.
struct Sequence {
    const int32_t *ids;
    int length;        // in tokens
    int first_segment; // how many of them are of type 0
    int row;           // of its first token
    int key;           // of its first token
};

constexpr int kNoSequence = -1;

struct PlacedPair {
    int sequence;  // its own, or that of its first text; kNoSequence for a text without tokens
    int second;    // that of its second text, in models that read texts apart
    int row, rows; // of its first text, among the rows that look across: no two pairs share them
    float *logit;  // where it goes
};

// Consecutive rows, and the sequence or pair that the first of them belongs to.
struct Block {
    int first, last; // not included
    int owner;
};

struct Piece {
    std::vector<Sequence> sequences;
    std::vector<PlacedPair> pairs;
    int rows = 0, keys = 0, crossing_rows = 0;
    std::vector<Block> blocks;   // of sequences' rows
    std::vector<Block> crossing; // of rows that look across
    std::vector<Block> ends;     // of pairs: `first` and `last` count pairs
};

constexpr int kBlockRows = 96; // at most; its rows stay in the L2 cache
constexpr int kBlockPairs = 16;

// Keys of a sequence, in whole groups of 16.
constexpr int padded_keys(int length) { return (length + 15) / 16 * 16; }

// Those of a pair of a call, if it shares no text with another one.
int64_t keys_of(const Call &call, size_t pair, bool apart);

// Places the pairs of a piece. Where texts are read apart, one that several pairs have, such as the
// query of a ranking, is one sequence: what the model makes of it depends on nothing else.
class Placer {
  public:
    Placer(Piece &piece, bool apart) : piece_(piece), apart_(apart) {}

    // Adds the pairs of a call from `first` to `end` (not included); their logits go to `logits`,
    // the place of the call's first one.
    void add(const Call &call, size_t first, size_t end, float *logits);

  private:
    Piece &piece_;
    const bool apart_;
    std::unordered_map<std::string_view, int> known_[2]; // texts of each type, by their ids' bytes

    int text(const int32_t *ids, int length, int type);
    int place(const int32_t *ids, int length, int first_segment);
};

// Makes the blocks of a piece that has all its pairs. `tile_rows` are those of the kernel.
void cut(Piece &piece, int threads, int tile_rows);

} // namespace edge_rerank::engine
