// Weights times values in whole numbers of 16 bits, where products of bytes are not to be had in
// one instruction: two keys at a time, whose values lie together.

constexpr int kValueBytes = 2;

// In place of the weights.
LANES void pack_weights(float *row, int padded, const float *factors) {
    int16_t *shorts = (int16_t *)row;
    for (int key = 0; key < padded; key += kLanes) {
        store_shorts(shorts + key, to_ints(multiply(load(row + key), load(factors + key))));
    }
}

// Exact sums over the keys from `begin` to `end`, whole groups of them.
template <int rows, int groups>
LANES void multiply_values(const float *weights, ptrdiff_t stride, const int8_t *values,
                           ptrdiff_t group_stride, int begin, int end, Ints (&sums)[rows][groups]) {
    const uint8_t *pairs = (const uint8_t *)weights;
    const ptrdiff_t row_stride = stride * ptrdiff_t(sizeof(float));
    for (int key = begin; key < end; key += 2) {
        Quads columns[groups];
        TIMES(g, groups) {
            columns[g] = load_quads(values + 2 * kLanes * ptrdiff_t(key) + g * group_stride);
        }
        TIMES(r, rows) {
            const Quads row = splat_quad(pairs + r * row_stride + 2 * ptrdiff_t(key));
            TIMES(g, groups) { sums[r][g] = dot_pairs(sums[r][g], row, columns[g]); }
        }
    }
}

// Puts sixteen columns of some keys where multiply_values() reads them.
LANES void place_values(const int8_t (*bytes)[kMostHead], int column, int first, int count,
                        int8_t *group) {
    for (int key = 0; key < count; ++key) {
        const int place = (first + key) % 2;
        int16_t *__restrict to = (int16_t *)group + kLanes * ptrdiff_t(first + key - place);
        for (int i = 0; i < kLanes; ++i) {
            to[i * kColumnStep + place * kKeyStep] = bytes[key][column + i];
        }
    }
}
