#include "engine/plan.h"

#include <algorithm>

#include "kernels/kernel.h"

namespace edge_rerank::engine {

namespace {
static_assert(kernels::kMostTileRows <= kBlockRows);

// How many blocks give all threads the same share and none of them more than `most`.
int count_blocks(int total, int threads, int most) {
    const int rounds = (total + threads * most - 1) / (threads * most);
    return std::min(std::max(1, rounds * threads), total);
}

// Shares `units` out among blocks: calls add(first, last) for each, the larger blocks first, so
// that threads that take turns get the same.
template <typename Add> void share(int units, int blocks, Add add) {
    int first = 0;
    for (int block = 0; block < blocks; ++block) {
        const int last = first + units / blocks + (block < units % blocks);
        add(first, last);
        first = last;
    }
}

// Blocks are whole tiles, but for the last: a tile that is not full takes the time of a full one.
void cut(Piece &piece, int threads, int tile_rows) {
    const int tiles = (piece.rows + tile_rows - 1) / tile_rows;
    const int blocks = count_blocks(tiles, threads, kBlockRows / tile_rows);
    int pair = 0;
    share(tiles, blocks, [&](int begin, int end) {
        const int first = begin * tile_rows, last = std::min(end * tile_rows, piece.rows);
        while (piece.pairs[size_t(pair)].row + piece.pairs[size_t(pair)].length <= first) {
            ++pair;
        }
        piece.blocks.push_back({first, last, pair});
    });
    const int pairs = int(piece.pairs.size());
    share(pairs, count_blocks(pairs, threads, kBlockPairs),
          [&](int first, int last) { piece.ends.push_back({first, last, first}); });
}
} // namespace

std::vector<Piece> plan(const int64_t *offsets, size_t count, int capacity, int threads,
                        int tile_rows) {
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
        cut(piece, threads, tile_rows);
    }
    return pieces;
}

} // namespace edge_rerank::engine
