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
// end_of(owner) is the row behind the last one of an owner.
template <typename End>
std::vector<Block> cut_rows(int rows, int threads, int tile_rows, End end_of) {
    std::vector<Block> result;
    const int tiles = (rows + tile_rows - 1) / tile_rows;
    int owner = 0;
    share(tiles, count_blocks(tiles, threads, kBlockRows / tile_rows), [&](int begin, int end) {
        const int first = begin * tile_rows, last = std::min(end * tile_rows, rows);
        while (end_of(owner) <= first) {
            ++owner;
        }
        result.push_back({first, last, owner});
    });
    return result;
}

int first_text(const Call &call, size_t pair, int length) {
    return call.first_segments ? call.first_segments[pair] : length;
}
} // namespace

int64_t keys_of(const Call &call, size_t pair, bool apart) {
    const int length = int(call.offsets[pair + 1] - call.offsets[pair]);
    const int first = apart ? first_text(call, pair, length) : length;
    return padded_keys(first) + padded_keys(length - first);
}

void Placer::add(const Call &call, size_t first, size_t end, float *logits) {
    for (size_t i = first; i < end; ++i) {
        const int32_t *ids = call.ids + call.offsets[i];
        const int length = int(call.offsets[i + 1] - call.offsets[i]);
        const int own = first_text(call, i, length);
        if (!apart_) {
            piece_.pairs.push_back({place(ids, length, own), kNoSequence, 0, 0, logits + i});
            continue;
        }
        const int query = text(ids, own, 0), passage = text(ids + own, length - own, 1);
        piece_.pairs.push_back({query, passage, piece_.crossing_rows, own, logits + i});
        piece_.crossing_rows += own;
    }
}

int Placer::text(const int32_t *ids, int length, int type) {
    if (length == 0) {
        return kNoSequence;
    }
    const std::string_view bytes(reinterpret_cast<const char *>(ids), size_t(length) * sizeof *ids);
    const auto [known, fresh] = known_[type].try_emplace(bytes, 0);
    if (fresh) {
        known->second = place(ids, length, type == 0 ? length : 0);
    }
    return known->second;
}

int Placer::place(const int32_t *ids, int length, int first_segment) {
    piece_.sequences.push_back({ids, length, first_segment, piece_.rows, piece_.keys});
    piece_.rows += length;
    piece_.keys += padded_keys(length);
    return int(piece_.sequences.size()) - 1;
}

void cut(Piece &piece, int threads, int tile_rows) {
    piece.blocks = cut_rows(piece.rows, threads, tile_rows, [&](int owner) {
        return piece.sequences[size_t(owner)].row + piece.sequences[size_t(owner)].length;
    });
    piece.crossing = cut_rows(piece.crossing_rows, threads, tile_rows, [&](int owner) {
        return piece.pairs[size_t(owner)].row + piece.pairs[size_t(owner)].rows;
    });
    const int pairs = int(piece.pairs.size());
    share(pairs, count_blocks(pairs, threads, kBlockPairs),
          [&](int first, int last) { piece.ends.push_back({first, last, first}); });
}

} // namespace edge_rerank::engine
