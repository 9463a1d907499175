// 64-bit ARM with int8 matrix products (Armv8.6), such as the Neoverse V1 and Apple's M2.
#include <arm_neon.h>

#include "kernels/kernel.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank::kernels {
namespace neon_i8mm {
#include "kernels/lanes_neon-inl.h"
LANES int32x4_t dot_four(int32x4_t sum, int8x16_t rows, int8x16_t columns) {
    return vdotq_s32(sum, rows, columns);
}
#include "kernels/rows-inl.h"
#include "kernels/products-inl.h"
#include "kernels/value_bytes-inl.h"
#include "kernels/heads-inl.h"
#include "kernels/contexts-inl.h"
#include "kernels/attention-inl.h"
#include "kernels/table-inl.h"

// Two rows by two columns, eight inputs at a time: SMMLA does twice the work of a dot product.
constexpr int kRowPairs = 2;

LANES int8x16_t two_rows(const uint8_t *first, const uint8_t *second) {
    return vcombine_s8(vld1_s8((const int8_t *)first), vld1_s8((const int8_t *)second));
}

// One group of 16 columns: eight pairs of columns for each pair of rows.
template <int pairs>
LANES void matrix_tile(const RowsI8 &input, int row, int rows, const ProductI8 &product, int column,
                       float *output, ptrdiff_t stride) {
    int32x4_t sums[pairs][8];
    TIMES(p, pairs) {
        TIMES(c, 8) { sums[p][c] = vdupq_n_s32(0); }
    }
    const int8_t *weights = product.weights + ptrdiff_t(column) * product.inputs;
    const uint8_t *from[2 * pairs];
    TIMES(r, 2 * pairs) { // rows behind the last one repeat it
        from[r] = input.bytes + (row + (r < rows ? r : rows - 1)) * input.stride;
    }
    for (int i = 0; i < product.inputs; i += 8, weights += 8 * kLanes) {
        int8x16_t some[pairs];
        TIMES(p, pairs) { some[p] = two_rows(from[2 * p] + i, from[2 * p + 1] + i); }
        TIMES(c, 8) {
            const int8x16_t columns = vld1q_s8(weights + 16 * c);
            TIMES(p, pairs) { sums[p][c] = vmmlaq_s32(sums[p][c], some[p], columns); }
        }
    }
    for (int r = 0; r < rows; ++r) {
        Ints total;
        TIMES(q, 4) {
            const int32x4_t left = sums[r / 2][2 * q], right = sums[r / 2][2 * q + 1];
            const int64x2_t a = vreinterpretq_s64_s32(left), b = vreinterpretq_s64_s32(right);
            total.v[q] = vreinterpretq_s32_s64(r % 2 ? vzip2q_s64(a, b) : vzip1q_s64(a, b));
        }
        total = add(total, load(product.start + column));
        const Floats factor = multiply(splat(input.scales[row + r]), load(product.scales + column));
        const Floats shift = fused(splat(input.centers[row + r]), load(product.sums + column),
                                   load(product.bias + column));
        store(output + r * stride, fused(to_floats(total), factor, shift));
    }
}

static void matrix_product_i8(const RowsI8 &input, int rows, const ProductI8 &product, int first,
                              int count, float *output, ptrdiff_t stride) {
    for (int column = 0; column < count; column += kLanes) {
        for (int row = 0; row < rows; row += 2 * kRowPairs) {
            const int some = rows - row < 2 * kRowPairs ? rows - row : 2 * kRowPairs;
            matrix_tile<kRowPairs>(input, row, some, product, first + column,
                                   output + row * stride + column, stride);
        }
    }
}

static constexpr Kernel matrix_table(const char *name) {
    Kernel kernel = table(name);
    kernel.unit = kernel.input_multiple = 8;
    kernel.tile_rows = 2 * kRowPairs;
    kernel.product_i8 = matrix_product_i8;
    return kernel;
}
} // namespace neon_i8mm

extern const Kernel kNeonI8mm;
constexpr Kernel kNeonI8mm = neon_i8mm::matrix_table("neon_i8mm");
} // namespace edge_rerank::kernels
