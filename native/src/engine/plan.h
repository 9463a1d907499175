// Places pairs in a piece, which fits the buffers, and cuts it into blocks of rows for the threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/call.h"

namespace edge_rerank::engine {

// A pair of a piece: its tokens are rows without gaps; its keys begin at a multiple of 16.
struct PlacedPair {
    const int32_t *ids;
    int length;        // in tokens
    int first_segment; // how many of them are of type 0
    float *logit;      // where it goes
    int row;           // of its first token
    int key;           // of its first token
};

// Consecutive rows, and the pair that the first of them belongs to.
struct Block {
    int first, last; // not included
    int pair;
};

struct Piece {
    std::vector<PlacedPair> pairs;
    int rows = 0, keys = 0;
    std::vector<Block> blocks; // of rows
    std::vector<Block> ends;   // of pairs: `first` and `last` count pairs
};

constexpr int kBlockRows = 96; // at most; its rows stay in the L2 cache
constexpr int kBlockPairs = 16;

// Keys of a pair, in whole groups of 16.
constexpr int padded_keys(int length) { return (length + 15) / 16 * 16; }

// Adds the pairs of a call from `first` to `end` (not included); their logits go to `logits`, the
// place of the call's first one.
void place(Piece &piece, const Call &call, size_t first, size_t end, float *logits);

// Makes the blocks of a piece that has all its pairs. `tile_rows` are those of the kernel.
void cut(Piece &piece, int threads, int tile_rows);

} // namespace edge_rerank::engine
