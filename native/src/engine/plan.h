// Cuts a call into pieces that fit the buffers, and a piece into blocks of rows for the threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edge_rerank::engine {

// A pair of a piece: its tokens are rows without gaps; its keys begin at a multiple of 16.
struct PlacedPair {
    size_t index; // in the call
    int length;   // in tokens
    int row;      // of its first token
    int key;      // of its first token
};

// Consecutive rows, and the pair that the first of them belongs to.
struct Block {
    int first, last; // not included
    int pair;
};

struct Piece {
    std::vector<PlacedPair> pairs;
    int rows = 0;
    std::vector<Block> blocks; // of rows
    std::vector<Block> ends;   // of pairs: `first` and `last` count pairs
};

constexpr int kBlockRows = 96; // at most; its rows stay in the L2 cache
constexpr int kBlockPairs = 16;

// Keys of a pair, in whole groups of 16.
constexpr int padded_keys(int length) { return (length + 15) / 16 * 16; }

// `capacity` is counted in padded keys; every length must fit. `tile_rows` are those of the kernel.
std::vector<Piece> plan(const int64_t *offsets, size_t count, int capacity, int threads,
                        int tile_rows);

} // namespace edge_rerank::engine
