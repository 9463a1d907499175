// The kernel's table. Included last, inside the kernel's namespace; a kernel that does something in
// a way of its own changes a copy of it.
static constexpr Kernel table(const char *name) {
    Kernel kernel{};
    kernel.name = name;
    kernel.unit = kernel.input_multiple = 4;
    kernel.row_offset = kUnsignedRows ? 128 : 0;
    kernel.tile_rows = kFloatRows;
    kernel.product_i8 = product_i8;
    kernel.product_f32 = product_f32;
    kernel.quantize = quantize;
    kernel.activate_quantize = activate_quantize;
    kernel.activate = activate;
    kernel.norm = norm;
    kernel.rotate = rotate;
    kernel.widen = widen_row;
    kernel.add = add_row;
    kernel.query_head_i8 = query_head_i8;
    kernel.store_keys_i8 = store_keys_i8;
    kernel.store_values_i8 = store_values_i8;
    kernel.value_bytes = kValueBytes;
    kernel.attend_i8 = attend_i8;
    kernel.attend_f32 = attend_f32;
    kernel.dot = dot_rows;
    kernel.peak_i8 = peak_i8;
    kernel.peak_f32 = peak_f32;
    return kernel;
}
