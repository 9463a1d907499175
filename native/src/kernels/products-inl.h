// Linear products: tiles of rows by groups of columns whose sums stay in registers.

#include "kernels/unrolled-inl.h"

// Rows of a tile of floats: where sums go by way of double, what is found out about the columns
// serves more rows.
constexpr int kFloatRows = kDoubleSums ? 6 : kRows;

template <int rows, int groups>
LANES void multiply_i8(const uint8_t *input, ptrdiff_t stride, const int8_t *weights,
                       ptrdiff_t group_stride, int quads, Ints (&sums)[rows][groups]) {
    for (int quad = 0; quad < quads; ++quad, input += 4, weights += 64) {
        Quads columns[groups];
        TIMES(g, groups) { columns[g] = load_quads(weights + g * group_stride); }
        TIMES(r, rows) {
            const Quads row = splat_quad(input + r * stride);
            TIMES(g, groups) { sums[r][g] = dot(sums[r][g], row, columns[g]); }
        }
    }
}

template <int rows, int groups>
LANES void tile_i8(const RowsI8 &input, int row, const ProductI8 &product, int column,
                   float *output, ptrdiff_t output_stride) {
    Ints sums[rows][groups];
    TIMES(g, groups) {
        const Ints start = load(product.start + column + g * kLanes);
        TIMES(r, rows) { sums[r][g] = start; }
    }
    multiply_i8<rows, groups>(input.bytes + row * input.stride, input.stride,
                              product.weights + ptrdiff_t(column) * product.inputs,
                              ptrdiff_t(kLanes) * product.inputs, product.inputs / 4, sums);
    TIMES(g, groups) {
        const Floats scale = load(product.scales + column + g * kLanes);
        const Floats sum = load(product.sums + column + g * kLanes);
        const Floats bias = load(product.bias + column + g * kLanes);
        TIMES(r, rows) {
            const Floats factor = multiply(splat(input.scales[row + r]), scale);
            const Floats shift = fused(splat(input.centers[row + r]), sum, bias);
            store(output + r * output_stride + g * kLanes,
                  fused(to_floats(sums[r][g]), factor, shift));
        }
    }
}

template <int rows, int groups>
LANES void multiply_f32(const float *input, ptrdiff_t stride, const float *weights,
                        ptrdiff_t weight_stride, ptrdiff_t group_stride, int inputs,
                        Floats (&sums)[rows][groups]) {
    if constexpr (kDoubleSums) {
        if (add_in_doubles(input, stride, weights, weight_stride, group_stride, inputs, sums)) {
            return;
        }
    }
    for (int i = 0; i < inputs; ++i, weights += weight_stride) {
        Floats columns[groups];
        TIMES(g, groups) { columns[g] = load(weights + g * group_stride); }
        TIMES(r, rows) {
            const Floats row = splat(input[r * stride + i]);
            TIMES(g, groups) { sums[r][g] = fused(row, columns[g], sums[r][g]); }
        }
    }
}

template <int rows, int groups>
LANES void tile_f32(const float *input, ptrdiff_t stride, const ProductF32 &product, int column,
                    float *output, ptrdiff_t output_stride) {
    Floats sums[rows][groups];
    TIMES(g, groups) {
        const Floats bias = load(product.bias + column + g * kLanes);
        TIMES(r, rows) { sums[r][g] = bias; }
    }
    multiply_f32<rows, groups>(input, stride, product.weights + ptrdiff_t(column) * product.inputs,
                               kLanes, ptrdiff_t(kLanes) * product.inputs, product.inputs, sums);
    TIMES(r, rows) {
        TIMES(g, groups) { store(output + r * output_stride + g * kLanes, sums[r][g]); }
    }
}

// Calls TILE<n>(row) for tiles of `height` rows and a last, lower one.
// clang-format off
#define EACH_TILE(height, rows, TILE)                             \
    int row = 0;                                                  \
    for (; row + (height) <= (rows); row += (height)) {           \
        TILE(height);                                             \
    }                                                             \
    switch ((rows) - row) {                                       \
        case 1: TILE(1); break;                                   \
        case 2: if constexpr ((height) > 2) { TILE(2); } break;   \
        case 3: if constexpr ((height) > 3) { TILE(3); } break;   \
        case 4: if constexpr ((height) > 4) { TILE(4); } break;   \
        case 5: if constexpr ((height) > 5) { TILE(5); } break;   \
        default: break;                                           \
    }
// clang-format on

// Asks for a tile's share of the weights of the next panel: without that the panel's first tile
// waits for them.
LANES void prefetch(const int8_t *weights, ptrdiff_t size, int row, int rows) {
    const ptrdiff_t begin = size * row / rows, end = size * (row + kRows) / rows;
    for (ptrdiff_t at = begin; at < end; at += 64) {
        __builtin_prefetch(weights + at, 0, 2);
    }
}

template <int groups>
static void panel_i8(const RowsI8 &input, int rows, const ProductI8 &product, int column,
                     float *output, ptrdiff_t stride) {
    const ptrdiff_t size = ptrdiff_t(groups) * kLanes * product.inputs;
    const int8_t *next = product.weights + ptrdiff_t(column) * product.inputs + size;
    const bool more = column + 2 * groups * kLanes <= product.outputs;
#define TILE(n)                                                                         \
    {                                                                                   \
        if (more) {                                                                     \
            prefetch(next, size, row, rows);                                            \
        }                                                                               \
        tile_i8<n, groups>(input, row, product, column, output + row * stride, stride); \
    }
    EACH_TILE(kRows, rows, TILE)
#undef TILE
}

template <int groups>
static void panel_f32(const float *input, ptrdiff_t input_stride, int rows,
                      const ProductF32 &product, int column, float *output, ptrdiff_t stride) {
#define TILE(n)                                                                    \
    tile_f32<n, groups>(input + row * input_stride, input_stride, product, column, \
                        output + row * stride, stride)
    EACH_TILE(kFloatRows, rows, TILE)
#undef TILE
}

// The panel of columns is the outer loop: its weights stay in the nearest cache while all rows
// pass.
static void product_i8(const RowsI8 &input, int rows, const ProductI8 &product, int first,
                       int count, float *output, ptrdiff_t stride) {
    int column = 0;
    for (; column + kGroups * kLanes <= count; column += kGroups * kLanes) {
        panel_i8<kGroups>(input, rows, product, first + column, output + column, stride);
    }
    for (; column < count; column += kLanes) {
        panel_i8<1>(input, rows, product, first + column, output + column, stride);
    }
}

static void product_f32(const float *input, ptrdiff_t input_stride, int rows,
                        const ProductF32 &product, int first, int count, float *output,
                        ptrdiff_t stride) {
    int column = 0;
    for (; column + kGroups * kLanes <= count; column += kGroups * kLanes) {
        panel_f32<kGroups>(input, input_stride, rows, product, first + column, output + column,
                           stride);
    }
    for (; column < count; column += kLanes) {
        panel_f32<1>(input, input_stride, rows, product, first + column, output + column, stride);
    }
}

// The inner loops without memory: as many independent sums as a tile has.
static double peak_i8(long rounds) {
    constexpr int steps = 64;
    static const uint8_t bytes[64] = {1};
    Ints sums[kRows][kGroups];
    Quads columns = load_quads(bytes), row = splat_quad(bytes);
    TIMES(r, kRows) {
        TIMES(g, kGroups) { sums[r][g] = no_ints(); }
    }
    for (long step = 0; step < rounds * steps; ++step) {
        TIMES(r, kRows) {
            forget(row); // or the part of a product that all rows share would be done once
            TIMES(g, kGroups) { sums[r][g] = dot(sums[r][g], row, columns); }
        }
    }
    TIMES(r, kRows) {
        TIMES(g, kGroups) { __asm__ volatile("" : : "m"(sums[r][g])); }
    }
    return double(rounds) * steps * kRows * kGroups * 4 * kLanes;
}

static double peak_f32(long rounds) {
    constexpr int steps = 64;
    static const float ones[kLanes] = {1};
    Floats sums[kRows][kGroups];
    const Floats columns = load(ones), row = splat(0.5f);
    TIMES(r, kRows) {
        TIMES(g, kGroups) { sums[r][g] = zeros(); }
    }
    for (long step = 0; step < rounds * steps; ++step) {
        TIMES(r, kRows) {
            TIMES(g, kGroups) { sums[r][g] = fused(row, columns, sums[r][g]); }
        }
    }
    TIMES(r, kRows) {
        TIMES(g, kGroups) { __asm__ volatile("" : : "m"(sums[r][g])); }
    }
    return double(rounds) * steps * kRows * kGroups * kLanes;
}
