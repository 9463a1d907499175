// The table of a kernel with matrix tiles. Included last, inside the kernel's namespace.
static constexpr Kernel tile_table(const char *name) {
    static_assert(kUnsignedRows);
    Kernel kernel = table(name);
    kernel.input_multiple = kTileInputs;
    kernel.tile_rows = kTileRows;
    kernel.tile_head = kTileHead;
    kernel.enter = set_up_tiles;
    kernel.leave = release_tiles;
    kernel.product_i8 = tile_product_i8;
    kernel.attend_i8 = tile_attend_i8;
    kernel.peak_i8 = peak_of_tiles;
    return kernel;
}
