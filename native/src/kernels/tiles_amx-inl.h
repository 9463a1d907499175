// Matrix tiles of x86 (AMX), by number: a tile has sixteen rows of 64 bytes. Numbers are literals,
// because some compilers write them into the instruction's text. What is loaded once need not stay
// in the first cache, where it would take the place of what is loaded again.
#define TILE_ZERO(tile) _tile_zero(tile)
#define TILE_LOAD(tile, from, stride) _tile_loadd(tile, from, stride)
#define TILE_LOAD_ONCE(tile, from, stride) _tile_stream_loadd(tile, from, stride)
#define TILE_STORE(tile, to, stride) _tile_stored(tile, to, stride)
#define TILE_DOT(sums, rows, columns) _tile_dpbusd(sums, rows, columns)

// What was written before is in memory from here on. gcc may think that nobody reads it and leave
// it out or write it later: the intrinsics of its version 12 do not say what they read.
static inline void written_for_tiles(const void *from) {
    __asm__ volatile("" : : "r"(from) : "memory");
}

// Tiles belong to a thread, which says what shape they have, and when it is done.
static void set_up_tiles() {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shapes = {1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    static_assert(sizeof shapes == 64);
    written_for_tiles(&shapes);
    _tile_loadconfig(&shapes);
}
static void release_tiles() { _tile_release(); }
