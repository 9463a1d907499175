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

} // namespace

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
void place(Piece &piece, const Call &call, size_t first, size_t end, float *logits) {
    for (size_t i = first; i < end; ++i) {
        const int length = int(call.offsets[i + 1] - call.offsets[i]);
        const int first_segment = call.first_segments ? call.first_segments[i] : length;
        piece.pairs.push_back({call.ids + call.offsets[i], length, first_segment, logits + i,
                               piece.rows, piece.keys});
        piece.rows += length;
        piece.keys += padded_keys(length);
    }
}

} // namespace edge_rerank::engine
