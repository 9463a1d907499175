// Matrix tiles in plain C++, for tests on machines without: what tiles_amx-inl.h has, operation by
// operation. A tile that is used without being set up, or by another thread, ends the program.
struct Tile { uint8_t bytes[16][64]; };
static thread_local Tile tiles[8];
static thread_local bool tiles_are_set_up = false;

static Tile &tile_at(int number) {
    if (!tiles_are_set_up || number < 0 || number >= 8) {
        __builtin_trap();
    }
    return tiles[number];
}
static void zero_tile(int number) { __builtin_memset(&tile_at(number), 0, sizeof(Tile)); }
static void load_tile(int number, const void *from, ptrdiff_t stride) {
    Tile &tile = tile_at(number);
    for (int row = 0; row < 16; ++row) {
        __builtin_memcpy(tile.bytes[row], (const uint8_t *)from + row * stride, 64);
    }
}
static void store_tile(int number, void *to, ptrdiff_t stride) {
    const Tile &tile = tile_at(number);
    for (int row = 0; row < 16; ++row) {
        __builtin_memcpy((uint8_t *)to + row * stride, tile.bytes[row], 64);
    }
}
// TDPBUSD: unsigned bytes of `rows` times signed bytes of `columns`, four at a time.
static void dot_tiles(int sums, int rows, int columns) {
    Tile &to = tile_at(sums);
    const Tile &left = tile_at(rows), &right = tile_at(columns);
    for (int row = 0; row < 16; ++row) {
        for (int column = 0; column < 16; ++column) {
            uint32_t sum;
            __builtin_memcpy(&sum, to.bytes[row] + 4 * column, 4);
            for (int i = 0; i < 64; ++i) {
                const int weight = int8_t(right.bytes[i / 4][4 * column + i % 4]);
                sum += uint32_t(left.bytes[row][i] * weight);
            }
            __builtin_memcpy(to.bytes[row] + 4 * column, &sum, 4);
        }
    }
}

#define TILE_ZERO(tile) zero_tile(tile)
#define TILE_LOAD(tile, from, stride) load_tile(tile, from, stride)
#define TILE_LOAD_ONCE(tile, from, stride) load_tile(tile, from, stride)
#define TILE_STORE(tile, to, stride) store_tile(tile, to, stride)
#define TILE_DOT(sums, rows, columns) dot_tiles(sums, rows, columns)

static inline void written_for_tiles(const void *) {}

static void set_up_tiles() {
    tiles_are_set_up = true;
    __builtin_memset(tiles, 0x5A, sizeof tiles); // as good as anything
}
static void release_tiles() { tiles_are_set_up = false; }
