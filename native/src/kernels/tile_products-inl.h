// Linear products on matrix tiles. Weights lie as they do for dot products of quads: sixteen quads
// of a group of sixteen columns are a tile of 1 KB. Rows are read where they lie, sixteen at a
// time. What is left over at the end is no tile of its own: the last tile reaches back into the
// rows before it, whose results are written twice.

constexpr int kTileRows = 16;
constexpr int kTileInputs = 64;

// Tiles 0 to 3 are sums, of two tiles of rows (4 and 5) by two groups of columns (6 and 7).
struct SumsOfTiles {
    alignas(64) int32_t sums[4][kTileRows * kLanes];
    int row, column;  // the first ones
    int second;       // row of the second tile, from the first one on
    int rows, groups; // of all tiles; no rows: nothing is left to do
};

struct TileProduct {
    const RowsI8 &input;
    const ProductI8 &product;
    int first; // column of the product that `output` points at
    float *output;
    ptrdiff_t stride;
};

// From sums to results, for some rows of a block.
LANES void finish_rows(const TileProduct &task, const SumsOfTiles &block, int from, int to) {
    const ProductI8 &product = task.product;
    for (int i = from; i < to; ++i) {
        const int row = block.row + (i < kTileRows ? i : block.second + i - kTileRows);
        const Floats scale = splat(task.input.scales[row]);
        const Floats center = splat(task.input.centers[row]);
        float *output = task.output + row * task.stride + block.column;
        for (int g = 0; g < block.groups; ++g) {
            const int column = task.first + block.column + g * kLanes;
            const int32_t *sums = block.sums[2 * (i / kTileRows) + g] + i % kTileRows * kLanes;
            const Ints total = add(load(sums), load(product.start + column));
            const Floats factor = multiply(scale, load(product.scales + column));
            const Floats shift =
                fused(center, load(product.sums + column), load(product.bias + column));
            store(output + g * kLanes, fused(to_floats(total), factor, shift));
        }
    }
}

// The sums of a block. Between the steps, which keep the tiles' unit busy, the rest of the core
// finishes the block before.
template <int tall, int groups>
LANES void multiply_tiles(const TileProduct &task, SumsOfTiles &now, const SumsOfTiles &before) {
    const ProductI8 &product = task.product;
    const ptrdiff_t stride = task.input.stride, group_stride = ptrdiff_t(kLanes) * product.inputs;
    const uint8_t *rows = task.input.bytes + now.row * stride, *more = rows + now.second * stride;
    const int8_t *columns = product.weights + ptrdiff_t(task.first + now.column) * product.inputs;
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    const int steps = product.inputs / kTileInputs;
    for (int step = 0; step < steps; ++step) {
        TILE_LOAD(6, columns, 64);
        TILE_LOAD(4, rows, stride);
        TILE_DOT(0, 4, 6);
        if constexpr (groups == 2) {
            TILE_LOAD(7, columns + group_stride, 64);
            TILE_DOT(1, 4, 7);
        }
        if constexpr (tall == 2) {
            TILE_LOAD(5, more, stride);
            TILE_DOT(2, 5, 6);
            if constexpr (groups == 2) {
                TILE_DOT(3, 5, 7);
            }
        }
        finish_rows(task, before, before.rows * step / steps, before.rows * (step + 1) / steps);
        rows += kTileInputs;
        more += kTileInputs;
        columns += kTileInputs * kLanes;
    }
    TILE_STORE(0, now.sums[0], 64);
    TILE_STORE(1, now.sums[1], 64);
    TILE_STORE(2, now.sums[2], 64);
    TILE_STORE(3, now.sums[3], 64);
    now.rows = tall * kTileRows;
    now.groups = groups;
}

// Two groups of columns, or a last one, for all rows.
template <int groups>
static void panel_of_tiles(const TileProduct &task, int rows, int column, SumsOfTiles *&now,
                           SumsOfTiles *&before) {
    for (int row = 0; row < rows; row += 2 * kTileRows) {
        const int left = rows - row;
        now->column = column;
        now->row = left < kTileRows ? rows - kTileRows : row;
        now->second = left < 2 * kTileRows ? left - kTileRows : kTileRows;
        if (left > kTileRows) {
            multiply_tiles<2, groups>(task, *now, *before);
        } else {
            now->second = 0;
            multiply_tiles<1, groups>(task, *now, *before);
        }
        SumsOfTiles *const done = now;
        now = before;
        before = done;
    }
}

static void tile_product_i8(const RowsI8 &input, int rows, const ProductI8 &product, int first,
                            int count, float *output, ptrdiff_t stride) {
    if (rows < kTileRows) {
        product_i8(input, rows, product, first, count, output, stride);
        return;
    }
    const TileProduct task{input, product, first, output, stride};
    SumsOfTiles blocks[2];
    SumsOfTiles *now = &blocks[0], *before = &blocks[1];
    before->rows = 0;
    int column = 0;
    for (; column + 2 * kLanes <= count; column += 2 * kLanes) {
        panel_of_tiles<2>(task, rows, column, now, before);
    }
    for (; column < count; column += kLanes) {
        panel_of_tiles<1>(task, rows, column, now, before);
    }
    finish_rows(task, *before, 0, before->rows);
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

static constexpr Kernel tile_table(const char *name) {
    static_assert(kUnsignedRows);
    Kernel kernel = table(name);
    kernel.input_multiple = kTileInputs;
    kernel.tile_rows = kTileRows;
    kernel.enter = set_up_tiles;
    kernel.leave = release_tiles;
    kernel.product_i8 = tile_product_i8;
    kernel.peak_i8 = peak_of_tiles;
    return kernel;
}
