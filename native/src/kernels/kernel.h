// The table of one kernel. Included last, inside the kernel's namespace.
// clang-format off
#define KERNEL_TABLE(name_, unit_, product_i8_)                                                  \
    {                                                                                            \
        name_, unit_, kUnsignedRows ? 128 : 0, product_i8_, product_f32, quantize,               \
            activate_quantize, activate, norm, widen_row, add_row, query_head_i8, store_keys_i8,   \
            attend_i8, attend_f32, dot_rows, peak_i8, peak_f32                                   \
    }
// clang-format on
