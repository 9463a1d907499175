// Linear products on matrix tiles. Weights lie as they do for dot products of quads: sixteen quads
// of a group of sixteen columns are a tile of 1 KB. Rows are read where they lie, sixteen at a
// time. What is left over at the end is no tile of its own: the last tile reaches back into the
// rows before it, whose results are written twice.

constexpr int kTileRows = 16;
constexpr int kTileInputs = 64;

// Tiles 0 to 3 are sums, of two tiles of rows (4 and 5) by two groups of columns (6 and 7).
struct SumsOfTiles {
    alignas(64) int32_t sums[2 * kTileRows * 2 * kLanes];
    int row, column; // the first ones
    int second;      // row of the second tile, from the first one on
    int rows;        // of all tiles; none: nothing is left to do
    int apart;       // columns from the first group to the second; 0: both are the same one
};

struct TileProduct {
    const RowsI8 &input;
    const ProductI8 &product;
    int first; // column of the product that `output` points at
    float *output;
    ptrdiff_t stride;
};

// What turns a block's sums into results, held in registers while the next block is multiplied.
struct Finish {
    Ints start[2];
    Floats scales[2], sums[2], bias[2];
    const int32_t *totals;
    const float *row_scales, *row_centers;
    float *output;
    ptrdiff_t stride;
    int rows, apart;
    int skip; // from the last row of the first tile to the first one of the second, less one
};

LANES Finish begin_finish(const TileProduct &task, const SumsOfTiles &block) {
    const ProductI8 &product = task.product;
    Finish finish;
    TIMES(g, 2) {
        const int column = task.first + block.column + g * block.apart;
        finish.start[g] = load(product.start + column);
        finish.scales[g] = load(product.scales + column);
        finish.sums[g] = load(product.sums + column);
        finish.bias[g] = load(product.bias + column);
    }
    finish.totals = block.sums;
    finish.rows = block.rows;
    finish.apart = block.apart;
    finish.row_scales = task.input.scales + block.row;
    finish.row_centers = task.input.centers + block.row;
    finish.output = task.output + block.row * task.stride + block.column;
    finish.stride = task.stride;
    finish.skip = block.second - kTileRows;
    return finish;
}

// The rows of a block from `from` to `to`.
LANES void finish_rows(const Finish &finish, int from, int to) {
    for (int i = from; i < to; ++i) {
        const ptrdiff_t row = i + (i < kTileRows ? 0 : finish.skip);
        const Floats scale = splat(finish.row_scales[row]);
        const Floats center = splat(finish.row_centers[row]);
        float *output = finish.output + row * finish.stride;
        TIMES(g, 2) {
            const Ints total = add(finish.start[g], load(finish.totals + (2 * i + g) * kLanes));
            const Floats factor = multiply(scale, finish.scales[g]);
            const Floats shift = fused(center, finish.sums[g], finish.bias[g]);
            store(output + g * finish.apart, fused(to_floats(total), factor, shift));
        }
    }
}

constexpr int kProducts = 4; // of tiles in a step

// The sums of a block. Between one product of tiles and the next, which keep the tiles' unit busy,
// the rest of the core finishes a share of the block before; all loads come first, because tiles
// take long to arrive. Rows stay in the first cache, weights pass through it.
template <int tall, int groups>
LANES void multiply_tiles(const TileProduct &task, SumsOfTiles &now, const SumsOfTiles &before) {
    const ProductI8 &product = task.product;
    const ptrdiff_t stride = task.input.stride, group_stride = ptrdiff_t(kLanes) * product.inputs;
    const uint8_t *rows = task.input.bytes + now.row * stride, *more = rows + now.second * stride;
    const int8_t *columns = product.weights + ptrdiff_t(task.first + now.column) * product.inputs;
    const Finish finish = begin_finish(task, before);
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    const int steps = product.inputs / kTileInputs;
    const int share = (2 * kTileRows + steps - 1) / steps;
    int done = 0;
    for (int step = 0; step < steps; ++step) {
        const int end = done + share < before.rows ? done + share : before.rows;
        const int some = end - done;
        TILE_LOAD_ONCE(6, columns, 64);
        TILE_LOAD(4, rows, stride);
        if constexpr (groups == 2) {
            TILE_LOAD_ONCE(7, columns + group_stride, 64);
        }
        if constexpr (tall == 2) {
            TILE_LOAD(5, more, stride);
        }
        TILE_DOT(0, 4, 6);
        finish_rows(finish, done, done + some / kProducts);
        if constexpr (groups == 2) {
            TILE_DOT(1, 4, 7);
        }
        finish_rows(finish, done + some / kProducts, done + some * 2 / kProducts);
        if constexpr (tall == 2) {
            TILE_DOT(2, 5, 6);
        }
        finish_rows(finish, done + some * 2 / kProducts, done + some * 3 / kProducts);
        if constexpr (tall == 2 && groups == 2) {
            TILE_DOT(3, 5, 7);
        }
        finish_rows(finish, done + some * 3 / kProducts, end);
        done = end;
        rows += kTileInputs;
        more += kTileInputs;
        columns += kTileInputs * kLanes;
    }
    constexpr int line = 2 * kLanes * int(sizeof(int32_t));
    int32_t *const second = now.sums + kLanes;
    TILE_STORE(0, now.sums, line);
    if constexpr (groups == 2) {
        TILE_STORE(1, second, line);
    } else {
        TILE_STORE(0, second, line);
    }
    if constexpr (tall == 2) {
        constexpr int lower = 2 * kLanes * kTileRows;
        TILE_STORE(2, now.sums + lower, line);
        if constexpr (groups == 2) {
            TILE_STORE(3, second + lower, line);
        } else {
            TILE_STORE(2, second + lower, line);
        }
    }
    now.rows = tall * kTileRows;
    now.apart = groups == 2 ? kLanes : 0;
}

// Two tiles of rows stay in the first cache while all columns pass: their weights follow one
// another in memory, which a cache's own prefetcher sees.
static void tile_product_i8(const RowsI8 &input, int rows, const ProductI8 &product, int first,
                            int count, float *output, ptrdiff_t stride) {
    if (rows < kTileRows) {
        product_i8(input, rows, product, first, count, output, stride);
        return;
    }
    written_for_tiles(input.bytes);
    const TileProduct task{input, product, first, output, stride};
    SumsOfTiles blocks[2];
    SumsOfTiles *now = &blocks[0], *before = &blocks[1];
    before->row = before->column = before->second = before->rows = before->apart = 0;
    for (int row = 0; row < rows; row += 2 * kTileRows) {
        const int left = rows - row;
        for (int column = 0; column < count; column += 2 * kLanes) {
            const bool pair = column + 2 * kLanes <= count;
            now->column = column;
            if (left > kTileRows) {
                now->row = row;
                now->second = left < 2 * kTileRows ? left - kTileRows : kTileRows;
                pair ? multiply_tiles<2, 2>(task, *now, *before)
                     : multiply_tiles<2, 1>(task, *now, *before);
            } else {
                now->row = rows - kTileRows;
                now->second = 0;
                pair ? multiply_tiles<1, 2>(task, *now, *before)
                     : multiply_tiles<1, 1>(task, *now, *before);
            }
            SumsOfTiles *const done = now;
            now = before;
            before = done;
        }
    }
    finish_rows(begin_finish(task, *before), 0, before->rows);
}

// The inner loop without memory.
static double peak_of_tiles(long rounds) {
    constexpr int steps = 64;
    TILE_ZERO(4);
    TILE_ZERO(5);
    TILE_ZERO(6);
    TILE_ZERO(7);
    for (long step = 0; step < rounds * steps; ++step) {
        TILE_DOT(0, 4, 6);
        TILE_DOT(1, 4, 7);
        TILE_DOT(2, 5, 6);
        TILE_DOT(3, 5, 7);
    }
    return double(rounds) * steps * 4 * kTileRows * kLanes * kTileInputs;
}
