// Linear products on matrix tiles. Weights lie as they do for dot products of quads: sixteen quads
// of a group of sixteen columns are a tile of 1 KB. Rows are read where they lie, sixteen at a
// time. What is left over at the end is no tile of its own: the last tile reaches back into the
// rows before it, whose results are written twice.

constexpr int kTileRows = 16;
constexpr int kTileInputs = 64;
constexpr int kMostSums = 4; // tiles of sums in a block, 0 to 3; the others hold rows and columns

// Rows stay in the first cache while all columns pass, whose weights come from the second one: with
// three tiles of rows less often than with two, as far as so many bytes of rows leave room there
// for what passes. Four are no faster, and slower where another thread has its half of the cache.
constexpr int kTallTiles = 3, kBytesThatStay = 36 * 1024;

struct TileProduct {
    const RowsI8 &input;
    const ProductI8 &product;
    int first; // column of the product that `output` points at
    float *output;
    ptrdiff_t stride;
};

// Some tiles of rows, which all columns pass.
struct Band {
    int row;  // the first one
    int last; // the first row of the last tile, from `row` on
};

// Sums of a band's rows and of some columns: [row][group of columns][column].
struct SumsOfTiles {
    alignas(64) int32_t sums[kMostSums * kTileRows * kLanes];
    int column; // the first one
    int rows;   // of all tiles; none: nothing is left to do
};

// What turns a block's sums into results, held in registers while the next block is multiplied.
template <int tall, int groups> struct Finish {
    Ints start[groups];
    Floats scales[groups], sums[groups], bias[groups];
    const int32_t *totals;
    const float *row_scales, *row_centers;
    float *output;
    ptrdiff_t stride;
    int skip; // from the last row of a tile to the first one of the last tile, less one
};

template <int tall, int groups>
LANES Finish<tall, groups> begin_finish(const TileProduct &task, const Band &band,
                                        const SumsOfTiles &block) {
    const ProductI8 &product = task.product;
    Finish<tall, groups> finish;
    TIMES(g, groups) {
        const int column = task.first + block.column + g * kLanes;
        finish.start[g] = load(product.start + column);
        finish.scales[g] = load(product.scales + column);
        finish.sums[g] = load(product.sums + column);
        finish.bias[g] = load(product.bias + column);
    }
    finish.totals = block.sums;
    finish.row_scales = task.input.scales + band.row;
    finish.row_centers = task.input.centers + band.row;
    finish.output = task.output + band.row * task.stride + block.column;
    finish.stride = task.stride;
    finish.skip = band.last - (tall - 1) * kTileRows;
    return finish;
}

// The rows of a block from `from` to `to`.
template <int tall, int groups>
LANES void finish_rows(const Finish<tall, groups> &finish, int from, int to) {
    for (int i = from; i < to; ++i) {
        const ptrdiff_t row = i + (i < (tall - 1) * kTileRows ? 0 : finish.skip);
        const Floats scale = splat(finish.row_scales[row]);
        const Floats center = splat(finish.row_centers[row]);
        float *output = finish.output + row * finish.stride;
        TIMES(g, groups) {
            const Ints sums = load(finish.totals + (groups * i + g) * kLanes);
            const Ints total = add(finish.start[g], sums);
            const Floats factor = multiply(scale, finish.scales[g]);
            const Floats shift = fused(center, finish.sums[g], finish.bias[g]);
            store(output + g * kLanes, fused(to_floats(total), factor, shift));
        }
    }
}

// Asks for columns to be in the second cache some tiles before they are multiplied: for the first
// band, which finds what other layers and attention have left there. Later bands find all of them.
constexpr int kTilesAhead = 6;
constexpr int kTileBytes = kTileInputs * kLanes, kLineBytes = 64;
LANES void fetch_ahead(const int8_t *columns) {
    TIMES(line, kTileBytes / kLineBytes) {
        __builtin_prefetch(columns + kTilesAhead * kTileBytes + line * kLineBytes, 0, 2);
    }
}

// The sums of a block. Between one product of tiles and the next, which keep the tiles' unit busy,
// the rest of the core finishes a share of the block before; the loads come first, because tiles
// take long to arrive. Weights pass through the first cache.
template <int tall, int groups>
LANES void multiply_tiles(const TileProduct &task, const Band &band, SumsOfTiles &now,
                          const SumsOfTiles &before) {
    static_assert((groups == 1 && tall <= kTallTiles) || (groups == 2 && tall <= 2));
    const ProductI8 &product = task.product;
    const ptrdiff_t stride = task.input.stride;
    const ptrdiff_t group_stride = ptrdiff_t(kLanes) * product.inputs;
    const uint8_t *rows = task.input.bytes + band.row * stride, *last = rows + band.last * stride;
    const int8_t *columns = product.weights + ptrdiff_t(task.first + now.column) * product.inputs;
    const Finish finish = begin_finish<tall, groups>(task, band, before);
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    const int steps = product.inputs / kTileInputs;
    const int share = (tall * kTileRows + steps - 1) / steps;
    int done = 0;
    for (int step = 0; step < steps; ++step) {
        const int end = done + share < before.rows ? done + share : before.rows;
        const unsigned some = end - done; // whose quarters are shifts
        TILE_LOAD_ONCE(6, columns, 64);
        TILE_LOAD(4, rows, stride);
        if (band.row == 0) {
            fetch_ahead(columns);
            if constexpr (groups == 2) {
                fetch_ahead(columns + group_stride);
            }
        }
        if constexpr (groups == 2) {
            TILE_LOAD_ONCE(7, columns + group_stride, 64);
        }
        if constexpr (tall >= 2) {
            TILE_LOAD(5, tall == 2 ? last : rows + kTileRows * stride, stride);
        }
        if constexpr (tall == 3) {
            TILE_LOAD(7, last, stride);
        }
        TILE_DOT(0, 4, 6);
        finish_rows(finish, done, done + some / kMostSums);
        if constexpr (groups == 2) {
            TILE_DOT(1, 4, 7);
        } else if constexpr (tall >= 2) {
            TILE_DOT(1, 5, 6);
        }
        finish_rows(finish, done + some / kMostSums, done + some * 2 / kMostSums);
        if constexpr (groups == 2 && tall == 2) {
            TILE_DOT(2, 5, 6);
        } else if constexpr (tall == 3) {
            TILE_DOT(2, 7, 6);
        }
        finish_rows(finish, done + some * 2 / kMostSums, done + some * 3 / kMostSums);
        if constexpr (groups == 2 && tall == 2) {
            TILE_DOT(3, 5, 7);
        }
        finish_rows(finish, done + some * 3 / kMostSums, end);
        done = end;
        rows += kTileInputs;
        last += kTileInputs;
        columns += kTileBytes;
    }
    // Tile t has the sums of the rows' tile t / groups and of group t % groups.
    constexpr int line = groups * kLanes, tile = kTileRows * line;
    int32_t *const second = now.sums + (groups == 2 ? kLanes : tile);
    TILE_STORE(0, now.sums, line * sizeof(int32_t));
    if constexpr (tall * groups >= 2) {
        TILE_STORE(1, second, line * sizeof(int32_t));
    }
    if constexpr (tall * groups >= 3) {
        TILE_STORE(2, now.sums + tile * 2 / groups, line * sizeof(int32_t));
    }
    if constexpr (tall * groups == 4) {
        TILE_STORE(3, second + tile, line * sizeof(int32_t));
    }
    now.rows = tall * kTileRows;
}

// The columns of a band from `from` to `to`, of which there are some, by so many groups.
template <int tall, int groups>
LANES void multiply_band(const TileProduct &task, const Band &band, int from, int to) {
    SumsOfTiles blocks[2];
    SumsOfTiles *now = &blocks[0], *before = &blocks[1];
    before->column = from;
    before->rows = 0;
    for (int column = from; column < to; column += groups * kLanes) {
        now->column = column;
        multiply_tiles<tall, groups>(task, band, *now, *before);
        SumsOfTiles *const done = now;
        now = before;
        before = done;
    }
    finish_rows(begin_finish<tall, groups>(task, band, *before), 0, before->rows);
}

template <int tall>
LANES void multiply_pairs(const TileProduct &task, const Band &band, int count) {
    const int pairs = count / (2 * kLanes) * (2 * kLanes);
    if (pairs > 0) {
        multiply_band<tall, 2>(task, band, 0, pairs);
    }
    if (pairs < count) {
        multiply_band<tall, 1>(task, band, pairs, count);
    }
}

static void tile_product_i8(const RowsI8 &input, int rows, const ProductI8 &product, int first,
                            int count, float *output, ptrdiff_t stride) {
    if (rows < kTileRows) {
        product_i8(input, rows, product, first, count, output, stride);
        return;
    }
    written_for_tiles(input.bytes);
    const TileProduct task{input, product, first, output, stride};
    const int most = kTallTiles * kTileRows * product.inputs <= kBytesThatStay ? kTallTiles : 2;
    for (int row = 0; row < rows; row += most * kTileRows) {
        const int left = rows - row, end = left < most * kTileRows ? rows : row + most * kTileRows;
        const Band band{row, end - kTileRows - row};
        if (left > 2 * kTileRows && most > 2) {
            multiply_band<kTallTiles, 1>(task, band, 0, count);
        } else if (left > kTileRows) {
            multiply_pairs<2>(task, band, count);
        } else {
            multiply_pairs<1>(task, {rows - kTileRows, 0}, count);
        }
    }
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
