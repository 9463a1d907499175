#include "plan.h"

#include <algorithm>

namespace edge_rerank {

namespace {
// As many blocks as make the threads' shares equal, none larger than `most`.
int block_size(int total, int threads, int most) {
    const int rounds = (total + threads * most - 1) / (threads * most);
    const int blocks = std::max(1, rounds * threads);
    return std::max(1, (total + blocks - 1) / blocks);
}

void cut(Piece &piece, int threads) {
    const int rows = block_size(piece.rows, threads, kBlockRows);
    int pair = 0;
    for (int first = 0; first < piece.rows; first += rows) {
        while (piece.pairs[size_t(pair)].row + piece.pairs[size_t(pair)].length <= first) {
            ++pair;
        }
        piece.blocks.push_back({first, std::min(first + rows, piece.rows), pair});
    }
    const int pairs = int(piece.pairs.size());
    const int some = block_size(pairs, threads, kBlockPairs);
    for (int first = 0; first < pairs; first += some) {
        piece.ends.push_back({first, std::min(first + some, pairs), first});
    }
}
} // namespace

std::vector<Piece> plan(const int64_t *offsets, size_t count, int capacity, int threads) {
    std::vector<Piece> pieces;
    int keys = capacity;
    for (size_t i = 0; i < count; ++i) {
        const int length = int(offsets[i + 1] - offsets[i]);
        if (keys + padded_keys(length) > capacity) {
            pieces.emplace_back();
            keys = 0;
        }
        Piece &piece = pieces.back();
        piece.pairs.push_back({i, length, piece.rows, keys});
        piece.rows += length;
        keys += padded_keys(length);
    }
    for (Piece &piece : pieces) {
        cut(piece, threads);
    }
    return pieces;
}

} // namespace edge_rerank
